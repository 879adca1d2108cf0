import type { ClientBase } from 'pg';
import { quoteIdent } from '../../gateway/platform/sql.ts';
import { JobError } from '../jobs/job.ts';
import type { Extension } from './database-facts.ts';

export interface NeededExtensions {
  readonly needed: readonly Extension[];
  /** Names that the operator has allowed, beside those that any owner of a database may make. */
  readonly allowed: readonly string[];
  readonly isShared: boolean;
}

/**
 * Looks whether the extensions of an archive can be had. In a database of the tenant's own they are made, if they are trusted (a plain owner of a database could have
 * made them) or allowed; in the shared one only an operator makes extensions.
 *
 * @param client connection to the tenant's database, or, before there is one, to another one of the cluster
 * @returns those that have to be made there
 * @throws {JobError} that names all that are missing
 */
export async function missingExtensions(
  client: ClientBase,
  { needed, allowed, isShared }: NeededExtensions,
): Promise<readonly Extension[]> {
  const { rows } = await client.query<{ name: string; installed: boolean; trusted: boolean }>(
    `SELECT a.name::text, a.installed_version IS NOT NULL AS installed,
       EXISTS (SELECT FROM pg_available_extension_versions v WHERE v.name = a.name AND v.trusted) AS trusted
     FROM pg_available_extensions a WHERE a.name = ANY ($1::text[])`,
    [needed.map(({ name }) => name)],
  );
  const known = new Map(rows.map((row) => [row.name, row]));
  const missing = needed.filter(({ name }) => known.get(name)?.installed !== true);
  const absent = missing.filter(({ name }) => isShared || !known.has(name));
  if (absent.length > 0) {
    throw new JobError(`Extensions of the archive are not here: ${namesOf(absent)}`, {
      code: 'missing-extension',
      hint: isShared
        ? 'Install them in the shared database (CREATE EXTENSION), then hydrate again'
        : 'Install their packages on the server, then hydrate again',
    });
  }
  const untrusted = missing.filter(
    ({ name }) => known.get(name)?.trusted !== true && !allowed.includes(name),
  );
  if (untrusted.length > 0) throw untrustedExtensions(untrusted);
  return missing;
}

/** What only an operator may let a tenant have. */
export function untrustedExtensions(untrusted: readonly Extension[]): JobError {
  return new JobError(`Extensions of the archive are not trusted: ${namesOf(untrusted)}`, {
    code: 'untrusted-extension',
    hint: 'Name them in "extensions" if the tenant may have them',
  });
}

/** Makes the extensions that are not there. @param admin superuser connection to the tenant's database */
export async function provideExtensions(admin: ClientBase, extensions: NeededExtensions): Promise<void> {
  for (const { name, schema } of await missingExtensions(admin, extensions)) {
    const place = /^(?:public|extensions)$/.test(schema) ? schema : 'extensions';
    await admin.query(`CREATE EXTENSION ${quoteIdent(name)} SCHEMA ${quoteIdent(place)}`);
  }
}

function namesOf(extensions: readonly Extension[]): string {
  return extensions.map(({ name, version }) => `${name} ${version}`).join(', ');
}
