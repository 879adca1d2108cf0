import type { ClientBase } from 'pg';
import { z } from 'zod';

/** A large object, with its owner and grantees by their physical names. */
export const LargeObject = z.strictObject({
  oid: z.int().positive(),
  owner: z.string(),
  comment: z.string().nullable(),
  grants: z.array(z.strictObject({ grantee: z.string(), privilege: z.enum(['SELECT', 'UPDATE']) })),
});
export type LargeObject = z.output<typeof LargeObject>;

const PIECE_BYTES = 1024 * 1024;

/** Large objects of these roles. They belong to the database and to no schema: their owner is all that says whose they are. */
async function listLargeObjects(
  client: ClientBase,
  roles: readonly string[],
): Promise<readonly LargeObject[]> {
  const { rows } = await client.query(
    `SELECT l.oid::int8::float8 AS oid, r.rolname::text AS owner, obj_description(l.oid, 'pg_largeobject') AS comment,
       COALESCE(
         (SELECT json_agg(json_build_object('grantee', COALESCE(g.rolname, 'PUBLIC'), 'privilege', a.privilege_type)
            ORDER BY g.rolname COLLATE "C", a.privilege_type)
          FROM aclexplode(l.lomacl) a LEFT JOIN pg_roles g ON g.oid = a.grantee
          WHERE a.grantee <> l.lomowner),
         '[]') AS grants
     FROM pg_largeobject_metadata l JOIN pg_roles r ON r.oid = l.lomowner
     WHERE r.rolname = ANY ($1::text[]) ORDER BY l.oid`,
    [roles],
  );
  return z.array(LargeObject).parse(rows);
}

/** Large objects of a tenant's roles, as those of an archive's. Rights of others are left out. @param names of its roles → those of the archive */
export async function tenantLargeObjects(
  client: ClientBase,
  names: ReadonlyMap<string, string>,
): Promise<readonly LargeObject[]> {
  const objects = await listLargeObjects(client, [...names.keys()]);
  return objects.map((object) => ({
    ...object,
    owner: names.get(object.owner)!,
    grants: object.grants.flatMap(({ grantee, privilege }) => {
      const name = grantee === 'PUBLIC' ? grantee : names.get(grantee);
      return name === undefined ? [] : [{ grantee: name, privilege }];
    }),
  }));
}

/** The bytes of a large object, piece by piece. */
export async function* readLargeObject(client: ClientBase, oid: number): AsyncGenerator<Uint8Array> {
  for (let offset = 0; ; offset += PIECE_BYTES) {
    const { rows } = await client.query<{ piece: Buffer }>('SELECT lo_get($1, $2, $3) AS piece', [
      oid,
      offset,
      PIECE_BYTES,
    ]);
    const { piece } = rows[0]!;
    if (piece.length > 0) yield piece;
    if (piece.length < PIECE_BYTES) return;
  }
}
