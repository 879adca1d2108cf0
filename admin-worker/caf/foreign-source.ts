import type pg from 'pg';
import { connectReason } from '../../gateway/platform/connect-reason.ts';
import { loginUrl } from '../../gateway/platform/derived-logins.ts';
import { quoteIdent } from '../../gateway/platform/sql.ts';
import type { TenantServer } from '../connections.ts';
import { isUnreachable } from '../ejection/asking.ts';
import { type Finding, finding } from '../ejection/finding.ts';
import { namesOfCatalog } from '../ejection/move.ts';
import { type JobContext, JobError } from '../jobs/job.ts';
import { reportFindings } from '../jobs/report-findings.ts';
import { databaseOf, ownerOf } from '../jobs/tenant-connection.ts';
import { createMigrationLogin, dropLoginsOf, dropMigrationLogin } from '../provision/migration-login.ts';
import type { TenantRecord } from '../tenants/tenant-record.ts';
import type { DumpSource } from './dump-source.ts';
import { READER, UNREADABLE } from './foreign-database.sql.ts';
import { readForeignDatabase } from './foreign-database.ts';

/** `pg_read_all_data` is there from this version on. */
const READ_ALL_MAJOR = 14;
/** The one with the snapshot, digests, a dump tool's, and one that is just being cut off. */
const MAX_CONNECTIONS = 4;

interface Reader {
  readonly server: TenantServer;
  readonly role: string | undefined;
  readonly isSuper: boolean;
  readonly major: number;
  readonly unreadable: readonly string[];
}

/**
 * Looks for a way to read all of a tenant's database that was not made here: a login of its own where the DSN is a superuser's, else the login that migrations run with or that
 * requests use, as itself or as a role that it can become.
 *
 * @throws {JobError} `preflight`
 */
export async function withForeignSource<T>(
  context: JobContext,
  tenant: TenantRecord,
  work: (source: DumpSource) => Promise<T>,
): Promise<T> {
  const { services, connect } = context;
  const requests = withCatalogNames(databaseOf(services, tenant));
  const login = decodeURIComponent(new URL(requests.url.reveal()).username);
  const foreign = await connect(requests, (client) => readForeignDatabase(client, { tenant, login })).catch(
    (error: unknown) => {
      throw unreachable(error) ?? error;
    },
  );
  const owner = await ownerOf(services, tenant);
  const servers = [...(owner === undefined ? [] : [withCatalogNames(owner)]), requests];
  const readers: Reader[] = [];
  for (const server of servers) {
    const reader = await connect(server, (client) => readerOf(client, server, foreign.schemas)).catch(
      (error: unknown) => {
        // The one for migrations may have been changed since; the other one has just answered.
        if (server === requests || unreachable(error) === undefined) throw error;
        context.log(`the login of migrations cannot be used: ${connectReason(error)}`, 'warn');
        return undefined;
      },
    );
    if (reader !== undefined) readers.push(reader);
  }
  reportFindings(context, [...foreign.findings, ...rightsFindings(readers)], 'exported');
  const [best] = readers.filter(({ unreadable }) => unreadable.length === 0);
  const source = { foreign, names: foreign.names, objects: undefined };
  const admin = readers.find(({ isSuper, major }) => isSuper && major >= READ_ALL_MAJOR);
  if (admin !== undefined) {
    return withReadingLogin(context, admin.server, (server) =>
      work({ ...source, server, role: undefined, objects: admin.server }),
    );
  }
  context.log(`reading as ${best!.role ?? 'the login itself'}`);
  return work({ ...source, server: best!.server, role: best!.role });
}

/** What is to be told of a place that does not answer; `undefined` for other errors. */
function unreachable(error: unknown): JobError | undefined {
  if (!isUnreachable(error)) return undefined;
  return new JobError(`The tenant's database cannot be used: ${connectReason(error)}`, {
    code: 'unreachable',
    cause: error,
  });
}

/** Drops what a run that was killed may have left there. */
export async function dropReadingLogins(context: JobContext, tenant: TenantRecord): Promise<void> {
  if (tenant.placement_kind !== 'remote' || tenant.role_prefix !== null) return;
  const { services, connect, jobId, log } = context;
  const owner = await ownerOf(services, tenant);
  for (const server of [...(owner === undefined ? [] : [owner]), databaseOf(services, tenant)]) {
    await connect(withCatalogNames(server), async (client) => {
      const { rows } = await client.query('SELECT FROM pg_roles WHERE rolname = session_user AND rolsuper');
      if (rows.length > 0) await dropLoginsOf(client, jobId);
    }).catch((error: unknown) => {
      context.signal.throwIfAborted();
      // It expires by itself.
      log(`a login may be left in the tenant's database for a day: ${connectReason(error)}`, 'warn');
    });
  }
}

function withCatalogNames({ url, ...rest }: TenantServer): TenantServer {
  return { ...rest, url: namesOfCatalog(url) };
}

async function readerOf(
  client: pg.Client,
  server: TenantServer,
  schemas: readonly string[],
): Promise<Reader & { encoding: string }> {
  const { rows } = await client.query<{
    name: string;
    is_super: boolean;
    major: number;
    encoding: string;
    roles: string[];
  }>(READER);
  const { name, is_super: isSuper, major, encoding, roles } = rows[0]!;
  const found = { server, isSuper, major, encoding };
  let least: Reader | undefined;
  for (const role of [undefined, ...roles]) {
    const { rows: objects } = await client.query<{ object: string }>(UNREADABLE, [schemas, role ?? name]);
    const unreadable = objects.map(({ object }) => object);
    if (least === undefined || unreadable.length < least.unreadable.length) {
      least = { ...found, role, unreadable };
    }
    if (unreadable.length === 0) break;
  }
  return { ...found, ...least! };
}

function rightsFindings(readers: readonly (Reader & { readonly encoding?: string })[]): readonly Finding[] {
  const encoding = readers[0]?.encoding;
  const least = readers.toSorted((a, b) => a.unreadable.length - b.unreadable.length)[0]!;
  return [
    ...(encoding === undefined || encoding === 'UTF8'
      ? []
      : [
          finding('error', 'encoding', {
            object: 'database',
            text: `Its encoding is ${encoding}: rows would not be the same in UTF-8`,
            todo: 'Dump it into a database with the encoding UTF8, and adopt that one',
          }),
        ]),
    ...least.unreadable.map((object) =>
      finding('error', 'no_owner', {
        object,
        text: `No login that is known here can read all of it${least.role === undefined ? '' : ` (${least.role} is the one that can read most)`}`,
        todo: `GRANT SELECT ON ALL TABLES and SEQUENCES of its schemas to a role with BYPASSRLS that the login of requests can become (service_role), or adopt it with migrations_connection_string of its owner`,
      }),
    ),
  ];
}

/** A login for one run that reads all and can do nothing else; the DSN itself where the server does not let such a login in. */
async function withReadingLogin<T>(
  context: JobContext,
  admin: TenantServer,
  work: (server: TenantServer) => Promise<T>,
): Promise<T> {
  const { connect, jobId, log, signal } = context;
  const login = await connect(admin, async (client) => {
    await dropLoginsOf(client, jobId);
    const made = await createMigrationLogin(client, ['pg_read_all_data'], jobId);
    const name = quoteIdent(made.name);
    const { rows } = await client.query<{ name: string }>('SELECT current_database() AS name');
    await client.query(
      `ALTER ROLE ${name} CONNECTION LIMIT ${MAX_CONNECTIONS} BYPASSRLS; GRANT CONNECT ON DATABASE ${quoteIdent(rows[0]!.name)} TO ${name}`,
    );
    return made;
  });
  const { name, password } = login;
  const server = { ...admin, url: loginUrl(admin.url, { login: name, password }) };
  try {
    const isLetIn = await connect(server, async () => true).catch((error: unknown) => {
      signal.throwIfAborted();
      log(
        `the server does not let a login of our own in (${connectReason(error)}): reading with the tenant's`,
        'warn',
      );
      return false;
    });
    return await work(isLetIn ? server : admin);
  } finally {
    await connect(admin, (client) => dropMigrationLogin(client, name)).catch((error: unknown) => {
      log(`a login may be left in the tenant's database for a day: ${connectReason(error)}`, 'warn');
    });
  }
}
