import { bundleOf, findEntry } from '../catalogue/catalogue.ts';
import { type JobContext, JobError } from '../jobs/job.ts';
import type { Extension } from './database-facts.ts';

/**
 * Looks whether the server has what the archive's database uses, before anything is made: the files of its extensions; in the shared database,
 * where an operator makes them, the extensions themselves.
 *
 * @throws {JobError} `missing-extension` with the requests that bring what can be brought
 */
export async function checkExtensions(
  context: JobContext,
  { needed, isShared }: { readonly needed: readonly Extension[]; readonly isShared: boolean },
): Promise<void> {
  if (needed.length === 0) return;
  const { rows } = await context.connect(context.services.sharedDatabaseUrl, (db) =>
    db.query<{ name: string; installed: boolean }>(
      `SELECT name::text, installed_version IS NOT NULL AS installed FROM pg_available_extensions
       WHERE name = ANY ($1::text[])`,
      [needed.map(({ name }) => name)],
    ),
  );
  const known = new Map(rows.map(({ name, installed }) => [name, installed]));
  const missing = needed.filter(({ name }) => (isShared ? known.get(name) !== true : !known.has(name)));
  if (missing.length === 0) return;
  const names = missing.map(({ name, version }) => `${name} ${version}`).join(', ');
  const origins = missing.filter(({ image }) => image !== undefined);
  throw new JobError(`Extensions of the archive are not here: ${names}`, {
    code: 'missing-extension',
    ...(origins.length === 0
      ? {}
      : { details: origins.map(({ name, image }) => `${name} came from ${image}`).join('; ') }),
    hint: `${missing.map((extension) => wayOf(extension, { isShared })).join('; ')}. Then hydrate again`,
  });
}

/** What to ask for, to have an extension. */
function wayOf({ name, image }: Extension, { isShared }: { readonly isShared: boolean }): string {
  const entry = findEntry(name);
  if (entry === undefined) return `install the package of ${name} on the server`;
  const body = `{"name": "${name}"}`;
  if (isShared) return `POST /v1/tenants/:id/extensions ${body} for any tenant of the shared database`;
  const bundle = bundleOf(entry);
  if (bundle === undefined) return `install the package of ${name} on the server`;
  const pin = image === undefined ? '' : ` (extensions.images.${bundle.name} may be pinned to ${image})`;
  return `POST /v1/extensions ${body} brings its files${pin}`;
}
