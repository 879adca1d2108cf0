import { setTimeout as sleep } from 'node:timers/promises';
import type { ClientBase } from 'pg';
import { loginPassword } from '../../gateway/platform/derived-logins.ts';
import { quoteIdent, quoteLiteral } from '../../gateway/platform/sql.ts';
import type { Secret } from '../../gateway/registry/secrets.ts';
import type { TenantServer } from '../connections.ts';
import { type JobContext, JobError } from '../jobs/job.ts';
import { createRole } from '../provision/shared-database.sql.ts';
import { flushLog, keysPublication, publishKeysSql, withKeys } from './change-feed.ts';
import type { TenantContents } from './moving-tenant.ts';

/** Name of the publication, the subscription, the slot and the login of one move. */
export function replicationName(jobId: string): string {
  return `cascata_eject_${jobId.replaceAll('-', '').slice(0, 16)}`;
}

export function replicationPassword(masterKey: Secret, jobId: string): Secret {
  return loginPassword(masterKey, replicationName(jobId));
}

/** Connections of those that may publish at the old place and subscribe at the new one. */
export interface BothEnds {
  readonly source: ClientBase;
  readonly target: ClientBase;
}

/** Lets changes of the tenant's tables be followed, by a login that can do only that. */
export async function publish(
  source: ClientBase,
  { name, password, contents }: { name: string; password: Secret; contents: TenantContents },
): Promise<void> {
  const login = quoteIdent(name);
  const schemas = contents.schemas.map((schema) => quoteIdent(schema)).join(', ');
  const tables = contents.tables
    .filter(({ isPartitioned }) => !isPartitioned)
    .map((table) => `${quoteIdent(table.schema)}.${quoteIdent(table.name)}`);
  const database = quoteIdent((await source.query('SELECT current_database() AS name')).rows[0].name);
  const { rows } = await source.query<{ major: number; is_super: boolean }>(
    `SELECT current_setting('server_version_num')::int / 10000 AS major, rolsuper AS is_super FROM pg_roles WHERE rolname = current_user`,
  );
  const { major = 0, is_super: isSuper = false } = rows[0] ?? {};
  // BYPASSRLS: the first copy reads the tables as this login, and has to see all rows.
  await source.query(`
    ${createRole(name, 'LOGIN')}
    ALTER ROLE ${login} LOGIN REPLICATION BYPASSRLS ${isSuper ? 'NOSUPERUSER NOCREATEDB NOCREATEROLE' : ''} PASSWORD ${quoteLiteral(password.reveal())};
    ${isSuper ? '' : `GRANT ${login} TO CURRENT_USER;`}
    GRANT CONNECT ON DATABASE ${database} TO ${login};
    GRANT USAGE ON SCHEMA ${schemas} TO ${login};
    GRANT SELECT ON ALL TABLES IN SCHEMA ${schemas} TO ${login};
    CREATE PUBLICATION ${login} ${tables.length === 0 ? '' : `FOR TABLE ${tables.join(', ')}`};
    ${publishKeysSql(name, await withKeys(source, contents.tables), major)}`);
}

/**
 * Has the new place copy all rows and then follow. The old place says which tables there are: before anything comes they have to be the tenant's own.
 *
 * @param options.connection libpq's words for the old place as the new one reaches it
 */
export async function subscribe(
  target: ClientBase,
  {
    name,
    connection,
    schemas,
  }: { readonly name: string; readonly connection: string; readonly schemas: readonly string[] },
): Promise<void> {
  const subscription = quoteIdent(name);
  try {
    await target.query(
      `CREATE SUBSCRIPTION ${subscription} CONNECTION ${quoteLiteral(connection)} PUBLICATION ${subscription}
       WITH (copy_data = true, create_slot = true, slot_name = ${quoteLiteral(name)}, enabled = false)`,
    );
  } catch (error) {
    throw new JobError('The new database cannot follow the old one', {
      code: 'source_unreachable',
      details: error instanceof Error ? error.message.replace(/password=\S+/g, 'password=…') : undefined,
      hint: 'source_connection_string says how the new server reaches the old one; look at its pg_hba.conf and firewall',
      cause: error,
    });
  }
  const { rows } = await target.query<{ table: string }>(
    `SELECT r.srrelid::regclass::text AS table FROM pg_subscription_rel r
     JOIN pg_subscription s ON s.oid = r.srsubid JOIN pg_class c ON c.oid = r.srrelid JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE s.subname = $1 AND n.nspname <> ALL ($2::text[])`,
    [name, schemas],
  );
  if (rows.length > 0) {
    throw new JobError(
      `The old database publishes tables that are not the tenant's: ${rows.map(({ table }) => table).join(', ')}`,
    );
  }
  await target.query(`ALTER SUBSCRIPTION ${subscription} ENABLE`);
}

/**
 * The old place in libpq's words, with the login of the move. A tenant's server is looked up and checked here, and libpq gets the address.
 *
 * @throws {RefusedAddressError} for an address that the policy does not allow
 */
export async function subscriptionConnection(
  { url: secret, foreign }: TenantServer,
  { name, password }: { readonly name: string; readonly password: Secret },
  database: string,
): Promise<string> {
  const url = new URL(secret.reveal());
  const host = url.searchParams.get('host') ?? url.hostname.replace(/^\[|\]$/g, '');
  const address = foreign === undefined ? undefined : (await foreign.policy.resolve(host))[0]?.address;
  const words: Record<string, string> = {
    host,
    ...(address === undefined ? {} : { hostaddr: address }),
    port: url.port === '' ? '5432' : url.port,
    dbname: database,
    user: name,
    password: password.reveal(),
    ...(url.searchParams.has('sslmode') ? { sslmode: url.searchParams.get('sslmode')! } : {}),
  };
  const quoted = (text: string) => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
  return Object.entries(words)
    .map(([word, value]) => `${word}=${quoted(value)}`)
    .join(' ');
}

const POLL_MS = 200;
const MAX_WORKER_ERRORS = 5;
/** So little is carried over within the pause that nobody should notice. */
const SMALL_LAG_BYTES = 512 * 1024;

/** Waits until every table is copied and little is left to follow. @throws {JobError} when the new place keeps failing */
export async function untilCaughtUp(
  { source, target }: BothEnds,
  {
    name,
    context,
  }: { readonly name: string; readonly context: Pick<JobContext, 'signal' | 'progress' | 'log'> },
): Promise<void> {
  for (let told = ''; ; ) {
    const tables = await target.query<{ all: number; ready: number }>(
      `SELECT count(*)::int AS all, count(*) FILTER (WHERE r.srsubstate = 'r')::int AS ready
       FROM pg_subscription_rel r JOIN pg_subscription s ON s.oid = r.srsubid WHERE s.subname = $1`,
      [name],
    );
    const { all, ready } = tables.rows[0]!;
    const lag = await lagBytes(source, name);
    if (ready === all && lag !== undefined && lag < SMALL_LAG_BYTES) return;
    await throwIfFailing(target, name);
    const message = `${ready} of ${all} tables are copied${lag === undefined ? '' : `, ${lag} bytes behind`}`;
    if (message !== told) await context.progress(0.3 + 0.6 * (all === 0 ? 1 : ready / all), message);
    told = message;
    await sleep(POLL_MS, undefined, { signal: context.signal });
  }
}

/** How far the new place is behind; `undefined` while it is not connected. */
async function lagBytes(source: ClientBase, name: string): Promise<number | undefined> {
  const { rows } = await source.query<{ lag: string | null }>(
    'SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn) AS lag FROM pg_stat_replication WHERE application_name = $1',
    [name],
  );
  const lag = rows[0]?.lag;
  return lag === undefined || lag === null ? undefined : Number(lag);
}

async function throwIfFailing(target: ClientBase, name: string): Promise<void> {
  // The view is of PostgreSQL 15.
  const { rows } = await target.query<{ errors: string }>(
    `SELECT COALESCE(sum(apply_error_count + sync_error_count), 0)::text AS errors FROM pg_stat_subscription_stats WHERE subname = $1`,
    [name],
  );
  if (Number(rows[0]?.errors ?? 0) < MAX_WORKER_ERRORS) return;
  throw new JobError('The new database fails to take over the rows again and again', {
    code: 'replication_failed',
    hint: "The log of the new database's server says why",
  });
}

const DRAIN_POLL_MS = 5;

interface Wait {
  readonly name: string;
  readonly waitMs: number;
  readonly signal: AbortSignal;
}

/**
 * Waits until the new place has all that was committed at the old one so far, as it reports it itself: up to half a second late, since it reports what is on its disk.
 *
 * @throws {JobError} when it takes longer than `waitMs`
 */
export async function drain({ source }: Pick<BothEnds, 'source'>, wait: Wait): Promise<void> {
  await flushLog(source);
  const { rows } = await source.query<{ lsn: string }>('SELECT pg_current_wal_flush_lsn()::text AS lsn');
  const values = [wait.name, rows[0]!.lsn];
  await until(wait, async () => {
    const { rowCount } = await source.query(
      'SELECT FROM pg_stat_replication WHERE application_name = $1 AND replay_lsn >= $2::pg_lsn',
      values,
    );
    return rowCount !== 0;
  });
}

/** Whether `drainTo` can be used: where an origin stands is for superusers to see, unless they let others. */
export async function seesOrigin(target: ClientBase): Promise<boolean> {
  const { rows } = await target.query<{ yes: boolean }>(
    `SELECT has_table_privilege('pg_catalog.pg_replication_origin_status', 'SELECT')
       AND has_function_privilege('pg_catalog.pg_show_replication_origin_status()', 'EXECUTE') AS yes`,
  );
  return rows[0]?.yes === true;
}

/** Waits until a transaction of the old place has been applied at the new one, by what is in the new server's memory. @throws {JobError} */
export async function drainTo(
  { target }: Pick<BothEnds, 'target'>,
  { lsn, ...wait }: Wait & { readonly lsn: string | undefined },
): Promise<void> {
  if (lsn === undefined) return;
  await until(wait, async () => {
    const { rowCount } = await target.query(
      `SELECT FROM pg_replication_origin_status o JOIN pg_subscription s ON o.external_id = 'pg_' || s.oid
       WHERE s.subname = $1 AND o.remote_lsn >= $2::pg_lsn`,
      [wait.name, lsn],
    );
    return rowCount !== 0;
  });
}

async function until({ waitMs, signal }: Wait, isSo: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + waitMs;
  while (!(await isSo())) {
    if (performance.now() > deadline) {
      throw new JobError(`The new database did not catch up within ${Math.round(waitMs / 1000)} s`, {
        code: 'replication_late',
        hint: 'Try again at a quieter time',
      });
    }
    await sleep(DRAIN_POLL_MS, undefined, { signal });
  }
}

/** Sets every sequence at the new place to where it stands at the old one, and has all that was taken over on the disk. @param owner of the sequences */
export async function copySequences(
  { source, target }: BothEnds,
  { contents, owner }: { readonly contents: TenantContents; readonly owner: string },
): Promise<void> {
  const names = contents.sequences.map(({ schema, name }) => `${quoteIdent(schema)}.${quoteIdent(name)}`);
  const { rows } =
    names.length === 0
      ? { rows: [] }
      : await source.query<{ name: string; value: string; called: boolean }>(
          names
            .map(
              (name) =>
                `SELECT ${quoteLiteral(name)} AS name, last_value::text AS value, is_called AS called FROM ${name}`,
            )
            .join(' UNION ALL '),
        );
  const sets = [
    // Something has to be written for the commit to be waited for.
    `pg_logical_emit_message(true, 'cascata', '')`,
    ...rows.map(({ name, value, called }) => `setval(${quoteLiteral(name)}::regclass, ${value}, ${called})`),
  ];
  await target.query(
    `BEGIN; SET LOCAL synchronous_commit = on; SET LOCAL ROLE ${quoteIdent(owner)}; SELECT ${sets.join(', ')}; COMMIT`,
  );
}

/** Takes the subscription away, whether the old place can be reached from there or not. */
export async function unsubscribe(target: ClientBase, name: string): Promise<void> {
  const { rowCount } = await target.query('SELECT FROM pg_subscription WHERE subname = $1', [name]);
  if (rowCount === 0) return;
  const subscription = quoteIdent(name);
  await target.query(`ALTER SUBSCRIPTION ${subscription} DISABLE`);
  // The way that also takes away the slots of tables whose first copy was not done.
  const isDropped = await target.query(`DROP SUBSCRIPTION ${subscription}`).then(
    () => true,
    () => false,
  );
  if (isDropped) return;
  await target.query(`ALTER SUBSCRIPTION ${subscription} SET (slot_name = NONE)`);
  await target.query(`DROP SUBSCRIPTION ${subscription}`);
}

/** Takes the slots, the publication and the login away. To be called after `unsubscribe`. */
export async function unpublish(source: ClientBase, name: string): Promise<void> {
  const { rowCount } = await source.query('SELECT FROM pg_roles WHERE rolname = $1', [name]);
  await source.query(
    'SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = $1 OR pid IN (SELECT active_pid FROM pg_replication_slots WHERE slot_name = $1)',
    [name],
  );
  await source.query(
    'SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = $1',
    [name],
  );
  await source.query(
    `DROP PUBLICATION IF EXISTS ${quoteIdent(name)}; DROP PUBLICATION IF EXISTS ${quoteIdent(keysPublication(name))}`,
  );
  if (rowCount === 1) await source.query(`DROP OWNED BY ${quoteIdent(name)}; DROP ROLE ${quoteIdent(name)}`);
}
