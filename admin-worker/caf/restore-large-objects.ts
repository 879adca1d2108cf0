import type { ClientBase } from 'pg';
import { quoteIdent, quoteLiteral } from '../../gateway/platform/sql.ts';
import type { ArchiveFile } from '../archive/archive-file.ts';
import type { ArchiveEntry } from '../archive/format.ts';
import { sqlStateOf } from '../connections.ts';
import { JobError } from '../jobs/job.ts';
import { LARGE_OBJECT_PREFIX } from './content.ts';
import { LargeObject } from './large-objects.ts';
import { refused } from './refused.ts';

const ALREADY_THERE = '23505';

/**
 * Makes the large objects of an archive, with their own oids, in one transaction.
 *
 * @param client of a login that may be each of `roles`
 * @throws {JobError} when an oid is taken
 */
export async function restoreLargeObjects(
  client: ClientBase,
  archive: ArchiveFile,
  roles: readonly string[],
): Promise<void> {
  await client.query('BEGIN');
  for (const entry of archive.entries) {
    if (!entry.name.startsWith(LARGE_OBJECT_PREFIX)) continue;
    const object = ownObject(entry, roles);
    await client.query(`SET LOCAL ROLE ${quoteIdent(object.owner)}`);
    await createObject(client, object.oid);
    let offset = 0;
    for await (const piece of archive.read(entry)) {
      await client.query('SELECT lo_put($1, $2, $3)', [object.oid, offset, piece]);
      offset += piece.length;
    }
    if (object.comment !== null) {
      await client.query(`COMMENT ON LARGE OBJECT ${object.oid} IS ${quoteLiteral(object.comment)}`);
    }
    for (const { grantee, privilege } of object.grants) {
      const to = grantee === 'PUBLIC' ? 'PUBLIC' : quoteIdent(grantee);
      await client.query(`GRANT ${privilege} ON LARGE OBJECT ${object.oid} TO ${to}`);
    }
  }
  await client.query('COMMIT');
}

/** @throws {JobError} `foreign-object` for a large object that is not one of these roles' */
export function refuseForeignObjects(archive: ArchiveFile, roles: readonly string[]): void {
  for (const entry of archive.entries) {
    if (entry.name.startsWith(LARGE_OBJECT_PREFIX)) ownObject(entry, roles);
  }
}

function ownObject({ name, meta }: ArchiveEntry, roles: readonly string[]): LargeObject {
  const { data: object } = LargeObject.safeParse(meta);
  const isOwn = (role: string) => roles.includes(role);
  if (
    object !== undefined &&
    isOwn(object.owner) &&
    object.grants.every(({ grantee }) => grantee === 'PUBLIC' || isOwn(grantee))
  ) {
    return object;
  }
  throw refused('foreign-object', `the entry ${name} is not the tenant's`);
}

async function createObject(client: ClientBase, oid: number): Promise<void> {
  try {
    await client.query('SELECT lo_create($1)', [oid]);
  } catch (error) {
    if (sqlStateOf(error) !== ALREADY_THERE) throw error;
    throw new JobError(`The large object ${oid} of the archive is somebody else's here`, {
      code: 'conflict',
      hint: 'Tables refer to large objects by number, so they keep it; a database of its own has no such conflicts',
      cause: error,
    });
  }
}
