import { createHash } from 'node:crypto';
import type { ClientBase } from 'pg';
import { loginPassword } from '../../gateway/platform/derived-logins.ts';
import { quoteIdent, quoteLiteral } from '../../gateway/platform/sql.ts';
import type { Secret } from '../../gateway/registry/secrets.ts';
import { logicalSchema, physicalSchema, type TenantNaming } from '../../gateway/registry/tenant.ts';
import type { TenantServer } from '../connections.ts';
import { JobError } from '../jobs/job.ts';
import { createRole } from '../provision/shared-database.sql.ts';
import { admissionSql } from '../provision/shared-tenant.ts';
import { MIGRATOR_ROLE, problemOfLogicalSchema } from '../provision/tenant-names.ts';
import { tenantRolesSql } from '../provision/tenant-objects.sql.ts';
import { namingOf, type TenantRecord } from '../tenants/tenant-record.ts';
import { asLogin, type Move } from './move.ts';
import { emptySchemaSql, migratorLogin } from './target-place.ts';

/** A schema of the old copy, and its name as long as the tenant's rows are on their way back. */
export interface KeptSchema {
  readonly schema: string;
  readonly keptAs: string;
}

/** Names for the schemas of an old copy that nobody else has. */
export function keptNames(schemas: readonly string[]): readonly KeptSchema[] {
  return schemas.map((schema) => ({
    schema,
    keptAs: `cascata_kept_${createHash('sha256').update(schema).digest('hex').slice(0, 24)}`,
  }));
}

/** What is wrong with schemas that come from elsewhere, one sentence each: their names might be somebody else's here. */
export function problemsOfHomeSchemas(
  naming: TenantNaming,
  schemas: readonly string[],
): readonly { readonly schema: string; readonly problem: string }[] {
  return schemas.flatMap((schema) => {
    const logical = logicalSchema(naming, schema);
    const problem =
      physicalSchema(naming, logical) === schema
        ? problemOfLogicalSchema(naming, logical)
        : `is not named after the tenant (${naming.schemaPrefix}, ${naming.schemaPrefix}_…)`;
    return problem === undefined ? [] : [{ schema, problem }];
  });
}

export interface HomePlaceSpec {
  readonly move: Move;
  readonly isShared: boolean;
  /** Physical names, as they are at the place that the tenant comes from. */
  readonly schemas: readonly string[];
  /** The old copy; empty where it has been deleted, or there never was one. */
  readonly kept: readonly KeptSchema[];
  readonly migrator: TenantServer;
}

/** The login that runs as the tenant's owner while it comes back. Its password follows from the master key and the job. */
export function homeMigrator(
  { tenant, target }: Pick<Move, 'tenant' | 'target'>,
  { masterKey, jobId }: { readonly masterKey: Secret; readonly jobId: string },
): TenantServer {
  const login = migratorLogin(tenant.id);
  return asLogin(target, login, loginPassword(masterKey, `${login}/home/${jobId}`));
}

/**
 * Sets the old copy aside under other names and makes the tenant's empty schemas in its place, in one transaction. What is there already of an earlier run of the job
 * is made anew.
 *
 * @param client superuser connection to the tenant's database here, where its roles are
 * @throws {JobError} when a name is somebody else's
 */
export async function makeHomeSchemas(client: ClientBase, spec: HomePlaceSpec): Promise<void> {
  const { move, schemas, kept, isShared, migrator } = spec;
  const { roles, tenant } = move;
  const wrong = problemsOfHomeSchemas(namingOf(tenant), schemas)[0];
  if (wrong !== undefined)
    throw new JobError(`The schema ${wrong.schema} ${wrong.problem}`, { code: 'preflight' });
  const login = quoteIdent(migratorLogin(tenant.id));
  const password = decodeURIComponent(new URL(migrator.url.reveal()).password);
  await client.query('BEGIN');
  await setAside(client, kept);
  const { rows } = await client.query<{ name: string }>(
    `SELECT n.nspname AS name FROM pg_namespace n
     WHERE n.nspname = ANY ($1::text[]) AND pg_get_userbyid(n.nspowner) <> $2 AND (n.nspname <> 'public' OR $3)`,
    [schemas, roles.owner, isShared],
  );
  if (rows[0] !== undefined) {
    throw new JobError(`A schema ${rows[0].name} exists already and is not the tenant's`, {
      code: 'preflight',
    });
  }
  await client.query(schemas.map((schema) => emptySchemaSql(schema, roles.owner)).join(''));
  await moveExtensions(
    client,
    kept.map(({ schema, keptAs }) => ({ from: keptAs, to: schema })),
  );
  await client.query(`
    ${createRole(migratorLogin(tenant.id), 'LOGIN INHERIT')}
    ALTER ROLE ${login} PASSWORD ${quoteLiteral(password)};
    GRANT ${quoteIdent(roles.owner)} ${isShared ? `, ${quoteIdent(MIGRATOR_ROLE)}` : ''} TO ${login};`);
  await client.query('COMMIT');
}

/** Takes that back: the old copy has its names again. Does nothing where nothing was done. */
export async function dropHomeSchemas(
  client: ClientBase,
  { move, schemas, kept }: Pick<HomePlaceSpec, 'move' | 'schemas' | 'kept'>,
): Promise<void> {
  const { owner } = move.roles;
  await client.query('BEGIN');
  const aside = await existing(client, kept);
  await moveExtensions(
    client,
    aside.map(({ schema, keptAs }) => ({ from: schema, to: keptAs })),
  );
  // One that is in the old copy too and was not set aside is the old copy.
  const made = schemas.filter(
    (schema) => !kept.some((old) => old.schema === schema) || aside.some((old) => old.schema === schema),
  );
  const { rows } = await client.query<{ name: string }>(
    `SELECT n.nspname AS name FROM pg_namespace n WHERE n.nspname = ANY ($1::text[]) AND pg_get_userbyid(n.nspowner) = $2`,
    [made, owner],
  );
  await client.query(
    [
      ...rows.map(({ name }) => `DROP SCHEMA ${quoteIdent(name)} CASCADE`),
      ...aside.flatMap(({ schema, keptAs }) => [
        `ALTER SCHEMA ${quoteIdent(keptAs)} RENAME TO ${quoteIdent(schema)}`,
        `ALTER SCHEMA ${quoteIdent(schema)} OWNER TO ${quoteIdent(owner)}`,
      ]),
    ].join(';'),
  );
  await client.query('COMMIT');
}

/** Drops the old copy that was set aside. */
export async function dropKept(client: ClientBase, kept: readonly KeptSchema[]): Promise<void> {
  for (const { keptAs } of kept) await client.query(`DROP SCHEMA IF EXISTS ${quoteIdent(keptAs)} CASCADE`);
}

/** Drops the login of the return, where there is one. */
export async function dropHomeMigrator(client: ClientBase, tenantId: string): Promise<void> {
  const login = migratorLogin(tenantId);
  const { rowCount } = await client.query('SELECT FROM pg_roles WHERE rolname = $1', [login]);
  if (rowCount === 0) return;
  await client.query('SELECT pg_terminate_backend(pid, 2000) FROM pg_stat_activity WHERE usename = $1', [
    login,
  ]);
  await client.query(`DROP OWNED BY ${quoteIdent(login)}; DROP ROLE ${quoteIdent(login)}`);
}

/** SQL that makes what requests of a shared tenant need, where its old copy has been deleted. It may run again. */
export function sharedHomeSql(tenant: TenantRecord, { roles }: Move, masterKey: Secret): string {
  return `${tenantRolesSql(roles)} ${admissionSql(tenant.isolation, { naming: namingOf(tenant), masterKey })}`;
}

async function setAside(client: ClientBase, kept: readonly KeptSchema[]): Promise<void> {
  const done = new Set((await existing(client, kept)).map(({ schema }) => schema));
  for (const { schema, keptAs } of kept) {
    if (done.has(schema)) continue;
    // Not the tenant's owner's any more: what is found by that is what the tenant has.
    await client.query(
      `ALTER SCHEMA ${quoteIdent(schema)} RENAME TO ${quoteIdent(keptAs)}; ALTER SCHEMA ${quoteIdent(keptAs)} OWNER TO CURRENT_USER`,
    );
  }
}

async function existing(client: ClientBase, kept: readonly KeptSchema[]): Promise<readonly KeptSchema[]> {
  const { rows } = await client.query<{ name: string }>(
    'SELECT nspname AS name FROM pg_namespace WHERE nspname = ANY ($1::text[])',
    [kept.map(({ keptAs }) => keptAs)],
  );
  return kept.filter(({ keptAs }) => rows.some(({ name }) => name === keptAs));
}

/** An extension in a schema of the tenant's is the database's, not a part of the copy. */
async function moveExtensions(
  client: ClientBase,
  moves: readonly { readonly from: string; readonly to: string }[],
): Promise<void> {
  for (const { from, to } of moves) {
    const { rows } = await client.query<{ name: string }>(
      `SELECT e.extname AS name FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
       WHERE n.nspname = $1 AND to_regnamespace(quote_ident($2)) IS NOT NULL`,
      [from, to],
    );
    for (const { name } of rows) {
      await client.query(`ALTER EXTENSION ${quoteIdent(name)} SET SCHEMA ${quoteIdent(to)}`);
    }
  }
}
