import { bundleOf, findEntry } from '../catalogue/catalogue.ts';
import { isPinned } from '../containers/inject-bundle.ts';
import { type JobContext, JobError } from '../jobs/job.ts';
import type { Extension } from './database-facts.ts';
import { type NeededExtensions, untrustedExtensions } from './provide-extensions.ts';

/**
 * Looks whether the server has what the archive's database uses, before anything is made: the files of its extensions; in the shared database,
 * where an operator makes them, the extensions themselves.
 *
 * @returns extensions of which it has no files, and an image is pinned that has them: they are to be brought first
 * @throws {JobError} `missing-extension` with the requests that bring what can be brought; `untrusted-extension` before such files come
 */
export async function checkExtensions(
  context: JobContext,
  { needed, allowed, isShared }: NeededExtensions,
): Promise<readonly string[]> {
  if (needed.length === 0) return [];
  const { rows } = await context.connect(context.services.sharedDatabaseUrl, (db) =>
    db.query<{ name: string; installed: boolean }>(
      `SELECT name::text, installed_version IS NOT NULL AS installed FROM pg_available_extensions
       WHERE name = ANY ($1::text[])`,
      [needed.map(({ name }) => name)],
    ),
  );
  const known = new Map(rows.map(({ name, installed }) => [name, installed]));
  const absent = needed.filter(({ name }) => (isShared ? known.get(name) !== true : !known.has(name)));
  const coming = isShared ? [] : absent.filter(({ name }) => hasImage(context, name));
  const missing = absent.filter((extension) => !coming.includes(extension));
  if (missing.length > 0) throw missingExtension(missing, { isShared });
  const untrusted = coming.filter(
    ({ name }) => findEntry(name)?.mayBeTrusted !== true && !allowed.includes(name),
  );
  if (untrusted.length > 0) throw untrustedExtensions(untrusted);
  return coming.map(({ name }) => name);
}

/** Whether this runner can bring its files: from the image that an operator has pinned, whatever the archive says. */
function hasImage({ services: { phantom } }: JobContext, name: string): boolean {
  const entry = findEntry(name);
  const bundle = entry === undefined ? undefined : bundleOf(entry);
  return phantom !== undefined && bundle !== undefined && isPinned(phantom, bundle);
}

function missingExtension(missing: readonly Extension[], { isShared }: { isShared: boolean }): JobError {
  const names = missing.map(({ name, version }) => `${name} ${version}`).join(', ');
  const origins = missing.filter(({ image }) => image !== undefined);
  return new JobError(`Extensions of the archive are not here: ${names}`, {
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
