import { setTimeout as sleep } from 'node:timers/promises';
import type { ClientBase } from 'pg';
import { MOVED_SQLSTATE } from '../../gateway/errors/moved-error.ts';
import { quoteIdent, quoteLiteral } from '../../gateway/platform/sql.ts';
import { sqlStateOf } from '../connections.ts';
import { JobError } from '../jobs/job.ts';

/** Also what is left out when a fenced place is copied. */
export const FENCE_NAME = 'cascata_fence';

/** Short of the server's `deadlock_timeout`: a writer that waits for us while we wait for it is never the one that is refused. */
const LOCK_TIMEOUT_MS = 600;
const PAUSE_MS = 50;
const LOCK_NOT_AVAILABLE = '55P03';

/**
 * Closes a tenant's tables to every writer, whatever its role: a trigger of ours refuses each statement that would write, and reads go on. Making a
 * trigger waits for the transactions that have written to the table, so once this is done all they wrote is there and nothing is added.
 *
 * @param client superuser connection to the tenant's database, not in a transaction
 * @param options.waitMs how long transactions under way may take to end
 * @throws {JobError} when they do not
 */
export async function raiseFence(
  client: ClientBase,
  { schemas, waitMs }: { readonly schemas: readonly string[]; readonly waitMs: number },
): Promise<void> {
  await client.query(FENCE_FUNCTION);
  const deadline = performance.now() + waitMs;
  for (;;) {
    try {
      await endAutovacuum(client, schemas);
      await client.query('BEGIN');
      await client.query(`SET LOCAL lock_timeout = '${LOCK_TIMEOUT_MS}ms'`);
      const { rows } = await client.query<{ statement: string }>(RAISE, [schemas]);
      if (rows.length > 0) await client.query(rows.map(({ statement }) => statement).join(';'));
      await client.query('COMMIT');
      return;
    } catch (error) {
      await client.query('ROLLBACK').catch(() => undefined);
      if (sqlStateOf(error) !== LOCK_NOT_AVAILABLE) throw error;
      if (performance.now() > deadline) {
        throw new JobError(
          `Transactions that write to the tenant's tables did not end within ${Math.round(waitMs / 1000)} s`,
          { hint: 'End them, or try again at a quieter time', cause: error },
        );
      }
      await sleep(PAUSE_MS);
    }
  }
}

/** Ends what may hold the fence up and comes back by itself. To be called before anybody waits, too: it takes a moment. */
export async function endAutovacuum(client: ClientBase, schemas: readonly string[]): Promise<void> {
  await client.query(END_AUTOVACUUM, [schemas]);
}

/** Opens the tables again. Does nothing where there is no fence. */
export async function lowerFence(client: ClientBase, schemas: readonly string[]): Promise<void> {
  const { rows } = await client.query<{ statement: string }>(LOWER, [schemas]);
  if (rows.length > 0) await client.query(rows.map(({ statement }) => statement).join(';'));
}

/**
 * In a schema that nobody but superusers may use; who may call it matters when a trigger is made, not when it fires. One at a time: of two that make the same
 * schema or function at once PostgreSQL refuses one.
 */
const FENCE_FUNCTION = `
  SELECT pg_advisory_xact_lock(hashtextextended(${quoteLiteral(FENCE_NAME)}, 0));
  CREATE SCHEMA IF NOT EXISTS ${FENCE_NAME};
  CREATE OR REPLACE FUNCTION ${FENCE_NAME}.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    RAISE EXCEPTION USING
      ERRCODE = ${quoteLiteral(MOVED_SQLSTATE)},
      MESSAGE = 'This project is being moved to another database';
  END $$;`;

const TABLES = `
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = ANY ($1::text[]) AND c.relkind IN ('r', 'p')`;
const HAS_FENCE = `EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid AND t.tgname = '${FENCE_NAME}' AND t.tgparentid = 0)`;

/**
 * $1 schemas. PostgreSQL ends an autovacuum for whoever waits for its table, but only after a second of waiting; it comes back by itself. None but superusers may
 * end it, and others do not even see it.
 */
const END_AUTOVACUUM = `
  SELECT pg_cancel_backend(a.pid)
  FROM pg_stat_activity a JOIN pg_locks l ON l.pid = a.pid JOIN pg_class c ON c.oid = l.relation JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE a.backend_type = 'autovacuum worker' AND a.datname = current_database() AND n.nspname = ANY ($1::text[])
    AND (SELECT r.rolsuper FROM pg_roles r WHERE r.rolname = current_user)`;

/** `ALWAYS`: for sessions too that have set `session_replication_role`. */
const RAISE = `
  SELECT format(
    'CREATE TRIGGER ${quoteIdent(FENCE_NAME)} BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON %1$I.%2$I FOR EACH STATEMENT EXECUTE FUNCTION ${FENCE_NAME}.refuse();
     ALTER TABLE %1$I.%2$I ENABLE ALWAYS TRIGGER ${quoteIdent(FENCE_NAME)}', n.nspname, c.relname) AS statement
  ${TABLES} AND NOT ${HAS_FENCE} ORDER BY c.oid`;

const LOWER = `
  SELECT format('DROP TRIGGER ${quoteIdent(FENCE_NAME)} ON %I.%I', n.nspname, c.relname) AS statement
  ${TABLES} AND ${HAS_FENCE} ORDER BY c.oid`;
