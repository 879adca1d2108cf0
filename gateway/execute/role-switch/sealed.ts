import { LRUCache } from 'lru-cache';
import { rowExecutor, rowsExecutor } from '../../platform/executors.ts';
import type { TransactionRequest } from '../../query/transaction-request.ts';
import type { ExecutorAccess } from '../../routing/upstream.ts';
import type { PreparedStatement, PreparedStatements } from '../prepared-statements.ts';
import { FIRST_WANTED, frameBatch, startOf } from './frame-batch.ts';
import { literalTemplate } from './literal-template.ts';
import type { BatchPlan, RoleSwitch, TransactionStart } from './role-switch.ts';
import { type ExecutorCall, SealedWrapping } from './sealed-wrapping.ts';
import { SettingsStatements } from './settings-statement.ts';
import { SharedNames, type SharedStatement } from './shared-names.ts';

/** The login itself: catalog queries of ours, which run no code of a tenant's. */
const LOGIN_ROLE = 'none';

/** Roles and statement texts remembered. */
const MAX_ROLES = 5_000;
const MAX_TEMPLATES = 2_000;

/** Statements that sessions behind a pooler are made to keep. */
const MAX_SHARED_NAMES = 200;
/** Longer ones come of queries in a body. */
const MAX_SHARED_LENGTH = 65_536;

/** What calls of one role's executors look like. */
interface RoleCalls {
  readonly token: string;
  readonly prepare: string;
  /** Kind of call and number of arguments, in one number → text. */
  readonly texts: Map<number, string>;
}

/**
 * Sends each statement to the executor of the role, a function that runs it with the rights of the role and in which PostgreSQL
 * refuses every change of role. The login is a member of nothing, so settings are all that runs outside (docs/security.md).
 */
export class SealedRoleSwitch implements RoleSwitch {
  readonly kind = 'sealed';
  readonly #access: ExecutorAccess;
  readonly #settings = new SettingsStatements();
  readonly #roles = new LRUCache<string, RoleCalls>({ max: MAX_ROLES });
  readonly #templates = new LRUCache<string, string>({ max: MAX_TEMPLATES });
  readonly #sharedNames: SharedNames;

  constructor(access: ExecutorAccess) {
    this.#access = access;
    this.#sharedNames = new SharedNames({ capacity: MAX_SHARED_NAMES, uses: access.keptAfterUses });
  }

  planBatch(request: TransactionRequest, wanted?: TransactionStart, session?: PreparedStatements): BatchPlan {
    const start = startOf(request, wanted);
    const settings = this.#settings.build(request, start, undefined);
    if (request.role === LOGIN_ROLE) {
      return frameBatch(request, { start, settings, statements: request.statements, beforeRollback: [] });
    }
    const calls = this.#calls(request, session);
    // Deferred constraints are checked by the last executor, also before a ROLLBACK.
    const statements = calls.map(({ statement }) => statement);
    const firstCall = FIRST_WANTED[start];
    const wrapping = new SealedWrapping({ calls, firstCall, session, role: request.role });
    return frameBatch(request, { start, settings, statements, beforeRollback: [], wrapping });
  }

  #calls(
    { role, statements, roleResets }: TransactionRequest,
    session: PreparedStatements | undefined,
  ): ExecutorCall[] {
    const known = this.#roleCalls(role);
    const { keepsSession } = this.#access;
    const calls: ExecutorCall[] = [];
    const last = statements.length - 1;
    for (let i = 0; i < statements.length; i++) {
      // Nothing in an executor can change the role.
      if (roleResets?.includes(i)) continue;
      const { text, values, isOneRow = false } = statements[i]!;
      let prepared: PreparedStatement | undefined;
      let shared: SharedStatement | undefined;
      if (session === undefined || !isPreparable(text)) {
        // Its text goes.
      } else if (!keepsSession) {
        if (text.length <= MAX_SHARED_LENGTH) shared = this.#sharedNames.find(text, role, known.token);
      } else {
        prepared = session.entryFor(text, role);
        if (!prepared.isSent) {
          prepared.isSent = true;
          const prepare = `PREPARE ${prepared.name} AS ${text}`;
          calls.push({
            kind: 'prepare',
            wanted: i,
            prepared,
            statement: { text: known.prepare, values: [known.token, prepare] },
          });
        }
      }
      const name = prepared?.name ?? shared?.name;
      const run = name === undefined ? this.#template(text) : executeText(name, values.length);
      const kind = isOneRow ? 'row' : 'rows';
      const prepares = shared !== undefined;
      const call = callText(role, known, { kind, isLast: i === last, prepares, count: values.length });
      const given = shared === undefined ? [known.token, run] : [known.token, shared.prepare, run];
      calls.push({
        kind,
        wanted: i,
        prepared,
        statement: { text: call, values: [...given, ...values] },
      });
    }
    return calls;
  }

  #roleCalls(role: string): RoleCalls {
    let known = this.#roles.get(role);
    if (known === undefined) {
      const prepare = `SELECT ${rowExecutor(role)}($1, false, $2, NULL, NULL)`;
      known = { token: this.#access.tokenFor(role), prepare, texts: new Map() };
      this.#roles.set(role, known);
    }
    return known;
  }

  #template(text: string): string {
    let template = this.#templates.get(text);
    if (template === undefined) {
      template = literalTemplate(text);
      this.#templates.set(text, template);
    }
    return template;
  }
}

/** Utility statements cannot be prepared in SQL. */
function isPreparable(text: string): boolean {
  return !text.startsWith('EXPLAIN');
}

/** `EXECUTE name(%L,%L)` */
function executeText(name: string, count: number): string {
  if (count === 0) return `EXECUTE ${name}`;
  return `EXECUTE ${name}(${'%L,'.repeat(count - 1)}%L)`;
}

function callText(
  role: string,
  { texts }: RoleCalls,
  call: { kind: 'row' | 'rows'; isLast: boolean; prepares: boolean; count: number },
): string {
  const { kind, isLast, prepares, count } = call;
  const key = count * 8 + (prepares ? 4 : 0) + (kind === 'row' ? 2 : 0) + (isLast ? 1 : 0);
  let text = texts.get(key);
  if (text === undefined) {
    const [given, first] = prepares ? ['$2, $3', 4] : ['NULL, $2', 3];
    const args = `($1, ${isLast}, ${given}, ARRAY[${parameters(first, count)}]::pg_catalog.text[])`;
    text =
      kind === 'row' ? `SELECT ${rowExecutor(role)}${args}` : `SELECT * FROM ${rowsExecutor(role)}${args}`;
    texts.set(key, text);
  }
  return text;
}

function parameters(first: number, count: number): string {
  return Array.from({ length: count }, (_, i) => `$${i + first}`).join(', ');
}
