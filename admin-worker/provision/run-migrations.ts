import pg from 'pg';
import { quoteIdent } from '../../gateway/platform/sql.ts';
import { ReportedError } from '../reported-error.ts';
import { deferredCode } from './deferred-code.ts';
import { type MigrationFile, upSection } from './migration-file.ts';
import {
  ForeignRoleError,
  lendGrantsToPlaceholders,
  settlePortableGrants,
  type TenantSchemas,
} from './portable-grants.ts';
import { portableSql, type SchemaNames } from './portable-sql.ts';
import {
  countLineEnds,
  RefusedStatementError,
  refuseTransactionControl,
  type SqlTextStatement,
  splitStatements,
} from './sql-statements.ts';

/** Where migrations run. */
export interface MigrationTarget {
  /** Logical → physical schemas to rewrite in the text; empty where both are the same. */
  readonly schemaNames: SchemaNames;
  /** Names to be searched, in order; `undefined`: whatever the login has. */
  readonly searchPath: readonly string[] | undefined;
  /** `undefined` (`remote`): the login of the connection runs the text, and grants stay as they are written. */
  readonly tenant: TenantSchemas | undefined;
  /** Nothing of the tenant's may run at COMMIT of a request (`sealed`). */
  readonly isSealed: boolean;
}

export interface RunMigrationsOptions {
  /** A connection with the rights of the tenant and no others; it is of no use to anybody else afterwards. */
  readonly client: pg.ClientBase;
  readonly target: MigrationTarget;
  readonly migrations: readonly MigrationFile[];
  /** `rehearse`: everything is run, checked and rolled back. */
  readonly end: 'commit' | 'rehearse';
  /** Called inside the open transaction, before any of the text has run, with the transaction's id. */
  readonly onBegin: (transactionId: string) => Promise<void>;
  readonly onMigration: (index: number) => Promise<void>;
}

/** A migration that did not work, worded for whoever wrote it. Nothing of the request was applied. */
export class MigrationError extends ReportedError {
  override readonly name = 'MigrationError';
}

/**
 * Runs the UP sections of migrations in one transaction, statement by statement over the extended protocol: the server then
 * takes one statement at a time, so nothing can smuggle a COMMIT past the check of its first word.
 *
 * @throws {MigrationError} after everything was rolled back
 */
export async function runMigrations(options: RunMigrationsOptions): Promise<void> {
  const { client, target, migrations, end, onBegin, onMigration } = options;
  const parsed = migrations.map(parseMigration);
  await client.query('BEGIN');
  try {
    const transactionId = await currentTransactionId(client);
    await onBegin(transactionId);
    if (target.tenant !== undefined) {
      await setOwner(client, target);
      // Only a REVOKE needs to find the grants of earlier migrations under the placeholders' names.
      if (migrations.some(({ sql }) => /revoke/i.test(sql)))
        await lendGrantsToPlaceholders(client, target.tenant);
    }
    for (const [index, migration] of parsed.entries()) {
      await onMigration(index);
      await setOwner(client, target);
      await runStatements(client, migration, target.schemaNames);
    }
    if (target.tenant !== undefined) await settle(client, target.tenant);
    if (target.tenant !== undefined && target.isSealed) await refuseDeferredCode(client, target.tenant);
    await assertSameTransaction(client, transactionId);
    if (end === 'rehearse')
      await client.query('SET CONSTRAINTS ALL IMMEDIATE').catch(rethrowAsMigrationError);
    await client.query(end === 'commit' ? 'COMMIT' : 'ROLLBACK');
  } catch (error) {
    // The connection is closed after this run; a ROLLBACK that fails is what closing does too.
    await client.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
}

interface ParsedMigration {
  readonly name: string;
  readonly statements: readonly SqlTextStatement[];
}

function parseMigration({ name, sql }: MigrationFile): ParsedMigration {
  const statements = splitStatements(upSection(sql));
  try {
    statements.forEach(refuseTransactionControl);
  } catch (error) {
    if (!(error instanceof RefusedStatementError)) throw error;
    throw new MigrationError(`${name}, line ${error.line}: ${error.message}`, { cause: error });
  }
  return { name, statements };
}

async function setOwner(client: pg.ClientBase, { tenant, searchPath }: MigrationTarget): Promise<void> {
  if (tenant !== undefined) await client.query(`SET LOCAL ROLE ${quoteIdent(tenant.roles.owner)}`);
  if (searchPath !== undefined) {
    await client.query(`SET LOCAL search_path = ${searchPath.map((name) => quoteIdent(name)).join(', ')}`);
  }
}

async function runStatements(
  client: pg.ClientBase,
  { name, statements }: ParsedMigration,
  schemaNames: SchemaNames,
): Promise<void> {
  for (const statement of statements) {
    const text = portableSql(statement, schemaNames);
    try {
      await client.query(extended(text));
    } catch (error) {
      throw describeFailure(error, { name, statement, text });
    }
  }
}

/** The type definitions of pg do not know the option yet. */
function extended(text: string): pg.QueryConfig & { queryMode: 'extended' } {
  return { text, queryMode: 'extended' };
}

function describeFailure(
  error: unknown,
  { name, statement, text }: { name: string; statement: SqlTextStatement; text: string },
): unknown {
  if (!(error instanceof pg.DatabaseError)) return error;
  const { code, detail, hint, position } = error;
  // Rewriting keeps lines, so the position in what was sent gives the line in what was posted.
  const first = statement.line - countLineEnds(leadingText(statement));
  const line =
    position === undefined ? statement.line : first + countLineEnds(text.slice(0, Number(position) - 1));
  return new MigrationError(`${name}, line ${line}: ${error.message}`, {
    code,
    details: detail,
    hint,
    cause: error,
  });
}

/** Space and comments before a statement's first word. */
function leadingText({ tokens }: SqlTextStatement): string {
  const start = tokens.findIndex(({ kind }) => kind !== 'space' && kind !== 'comment');
  return tokens
    .slice(0, start)
    .map(({ text }) => text)
    .join('');
}

async function settle(client: pg.ClientBase, tenant: TenantSchemas): Promise<void> {
  try {
    await settlePortableGrants(client, tenant);
  } catch (error) {
    if (error instanceof ForeignRoleError) {
      throw new MigrationError(`The migrations were rolled back: ${error.message}`, {
        hint: 'Grants and policies may name anon, authenticated, service_role and PUBLIC',
        cause: error,
      });
    }
    rethrowAsMigrationError(error);
  }
}

/** For what a deferred constraint or trigger of the migration itself raises. */
function rethrowAsMigrationError(error: unknown): never {
  if (!(error instanceof pg.DatabaseError)) throw error;
  throw new MigrationError(error.message, {
    code: error.code,
    details: error.detail,
    hint: error.hint,
    cause: error,
  });
}

async function refuseDeferredCode(client: pg.ClientBase, { roles }: TenantSchemas): Promise<void> {
  const found = await deferredCode(client, roles.owner);
  if (found.length === 0) return;
  throw new MigrationError(`The migrations were rolled back: ${found.join(', ')} would run at COMMIT`, {
    hint: 'A sealed project may have deferrable foreign keys and unique constraints, but no deferrable triggers and exclusion constraints',
  });
}

async function currentTransactionId(client: pg.ClientBase): Promise<string> {
  const { rows } = await client.query<{ id: string }>('SELECT pg_catalog.pg_current_xact_id()::text AS id');
  return rows[0]!.id;
}

async function assertSameTransaction(client: pg.ClientBase, expected: string): Promise<void> {
  const actual = await currentTransactionId(client);
  if (actual !== expected) throw new MigrationError('The migrations ended the transaction they ran in');
}
