import type { IsolationLevel } from '../plan/transaction-plan.ts';
import type { SqlStatement, SqlValue } from '../platform/sql.ts';
import { effectiveTimeoutMs, TIMEOUT_NAME } from './effective-timeout.ts';
import type { TransactionRequest, TransactionVariable } from './transaction-request.ts';

/** The transactions of several requests as one, and whose each statement is. */
export interface JoinedBatch {
  readonly request: TransactionRequest;
  /** For each part the index in `request.statements` of its first one; its others follow. */
  readonly firsts: readonly number[];
  /** For each statement the index of its part. */
  readonly owners: readonly number[];
}

/** What a request's code may have asked of its response; the next request's is another. */
const WISHES: readonly TransactionVariable[] = [
  ['response.headers', ''],
  ['response.status', ''],
];

const LEVELS: readonly (IsolationLevel | undefined)[] = [
  undefined,
  'read committed',
  'repeatable read',
  'serializable',
];

/**
 * Joins transactions of one role, so that all of them happen or none. Between two of them the role and everything that describes the
 * request are set anew. The transaction is as strict as its strictest part: read write if any is, with the highest isolation level.
 *
 * @param parts at least one
 */
export function joinBatch(parts: readonly TransactionRequest[], end: TransactionRequest['end']): JoinedBatch {
  const first = parts[0]!;
  const statements: SqlStatement[] = [];
  const firsts: number[] = [];
  const owners: number[] = [];
  const roleResets: number[] = [];
  const add = (added: readonly SqlStatement[], owner: number): void => {
    for (const statement of added) {
      statements.push(statement);
      owners.push(owner);
    }
  };
  const names = new Set<string>();
  parts.forEach((part, owner) => {
    if (owner > 0) {
      roleResets.push(statements.length);
      add([setRole(part.role), setVariables(variablesOf(part, names))], owner);
    }
    for (const name of ownNames(part)) names.add(name);
    firsts.push(statements.length);
    add(part.statements, owner);
  });
  return {
    request: {
      ...first,
      accessMode: parts.some(({ accessMode }) => accessMode === 'read write') ? 'read write' : 'read only',
      isolationLevel: strictest(parts),
      end,
      statements,
      roleResets,
    },
    firsts,
    owners,
  };
}

/** Names that this part may have left at another value than a later part wants. */
function ownNames({ variables, statementTimeoutMs }: TransactionRequest): readonly string[] {
  const names = variables.map(([name]) => name.toLowerCase());
  return statementTimeoutMs === undefined ? names : [...names, TIMEOUT_NAME];
}

/**
 * What was set before and is not wanted any more is `null`: the session's own value. Each name once, its last value; in lower case, as
 * the settings of a role say `TimeZone` and preferences `timezone`.
 */
function variablesOf(
  { variables, statementTimeoutMs }: TransactionRequest,
  earlier: ReadonlySet<string>,
): ReadonlyMap<string, SqlValue> {
  const wanted = new Map<string, SqlValue>();
  for (const name of earlier) wanted.set(name, null);
  for (const [name, value] of [...variables, ...WISHES]) wanted.set(name.toLowerCase(), value);
  const timeoutMs = effectiveTimeoutMs(statementTimeoutMs, variables);
  if (timeoutMs !== undefined) wanted.set(TIMEOUT_NAME, String(timeoutMs));
  return wanted;
}

/** The result of `set_config` is never NULL, so OR goes through all of them and there is no row. */
function setVariables(variables: ReadonlyMap<string, SqlValue>): SqlStatement {
  const values: SqlValue[] = [];
  const calls: string[] = [];
  for (const [name, value] of variables) {
    values.push(name, value);
    calls.push(`pg_catalog.set_config($${values.length - 1}, $${values.length}, true) IS NULL`);
  }
  return { text: `SELECT WHERE ${calls.join(' OR ')}`, values };
}

/** A function of the part before may have set another role that the login is a member of. */
function setRole(role: string): SqlStatement {
  return { text: `SELECT WHERE pg_catalog.set_config('role', $1, true) IS NULL`, values: [role] };
}

function strictest(parts: readonly TransactionRequest[]): IsolationLevel | undefined {
  return LEVELS[Math.max(...parts.map(({ isolationLevel }) => LEVELS.indexOf(isolationLevel)))];
}
