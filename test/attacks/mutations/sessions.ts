import pg from 'pg';
import { executorsSql } from '../../../admin-worker/provision/executor.sql.ts';
import { LOGINS, sharedUrl } from '../../../gateway/platform/derived-logins.ts';
import { Secret } from '../../../gateway/registry/secrets.ts';
import {
  all,
  leavesTraces,
  type MutableStage,
  type Mutation,
  newConnection,
  patch,
  pause,
  superuser,
  tells,
} from './mutation.ts';

function withoutTail(part: string) {
  return async (stage: MutableStage): Promise<void> => {
    for (const id of [stage.attacker, stage.victim]) {
      const text = executorsSql(`${id}_service_role`, stage.admin.masterKey);
      if (!text.includes(part)) throw new Error(`no ${part} in the executors`);
      await stage.admin.shared(text.replaceAll(part, ''));
    }
  };
}

const asTheyAre = async (stage: MutableStage): Promise<void> => {
  for (const id of [stage.attacker, stage.victim]) {
    await stage.admin.shared(executorsSql(`${id}_service_role`, stage.admin.masterKey));
  }
};

/** Puts statements of the attacker's in place of those that the session has under names that can be guessed. */
const redefine = (prefix: string, statement: string): string => `DO $do$ BEGIN
  FOR n IN 0..200 LOOP
    BEGIN
      EXECUTE 'DEALLOCATE ${prefix}' || n;
      EXECUTE 'PREPARE ${prefix}' || n || ' AS ${statement.replaceAll("'", "''")}';
    EXCEPTION WHEN OTHERS THEN NULL;
    END;
  END LOOP;
END $do$`;

/** Whether the victim gets another answer after the attacker has run the statements. */
const changesView =
  (...statements: readonly string[]) =>
  async (stage: MutableStage): Promise<boolean> => {
    const before = await stage.call(stage.victim, '/view');
    await stage.run(...statements);
    const after = await stage.call(stage.victim, '/view');
    return after.text !== before.text || after.status !== before.status;
  };

const PREPARED = 'gateway/execute/prepared-statements.ts';
const NOTIFICATIONS = 4;
/** A little more than what notifications are gathered for. */
const NOTIFY_PAUSE_MS = 120;

/** What one request leaves for the next one on its connection, and what sessions of one login can do to each other. */
export const SESSIONS: readonly Mutation[] = [
  {
    defence: 'names of prepared statements are random for each connection',
    gateway: {},
    edits: [
      {
        file: PREPARED,
        part: `randomBytes(6).toString('hex')`,
        instead: `(OFF ? 'guessable' : randomBytes(6).toString('hex'))`,
      },
    ],
    // It breaks the connection for the attacker as well, so each attempt begins with another one.
    attack: async (stage) => {
      await newConnection(stage);
      return changesView(redefine('cguessable_', 'SELECT 1'))(stage);
    },
  },
  {
    defence: 'names of statements inside executors tell nothing of others',
    gateway: {},
    edits: [
      {
        file: PREPARED,
        part: `randomBytes(12).toString('hex')`,
        instead: `(OFF ? 'inner' + (globalThis.cascataSwitches.count += 1) : randomBytes(12).toString('hex'))`,
      },
    ],
    attack: async (stage) => {
      const forged = `SELECT '0', '1', '"forged"', NULL, NULL, NULL, NULL`;
      await stage.call(stage.victim, '/view');
      await stage.run(redefine('cinner', forged));
      return (await stage.call(stage.victim, '/view')).text.includes('forged');
    },
  },
  {
    defence: 'behind a pooler names of statements follow from the role’s token',
    gateway: { isPooled: true },
    edits: [
      {
        file: 'gateway/execute/role-switch/shared-names.ts',
        part: `createHmac('sha256', token)`,
        instead: `OFF ? String(globalThis.cascataSwitches.count += 1) : createHmac('sha256', token)`,
      },
    ],
    attack: async (stage) => {
      const forged = `SELECT '0', '1', '"forged"', NULL, NULL, NULL, NULL`;
      await stage.call(stage.victim, '/view');
      await stage.run(redefine('p', forged));
      return (await stage.call(stage.victim, '/view')).text.includes('forged');
    },
  },
  {
    defence: 'prepared statements cannot be listed',
    off: superuser(
      'GRANT SELECT ON pg_prepared_statements TO PUBLIC; GRANT EXECUTE ON FUNCTION pg_prepared_statement() TO PUBLIC',
    ),
    on: superuser(
      'REVOKE SELECT ON pg_prepared_statements FROM PUBLIC; REVOKE EXECUTE ON FUNCTION pg_prepared_statement() FROM PUBLIC',
    ),
    attack: tells('@b_service_role', 'SELECT string_agg(statement, $$ $$) FROM pg_prepared_statements'),
  },
  {
    defence: 'cursors cannot be listed',
    off: superuser('GRANT SELECT ON pg_cursors TO PUBLIC; GRANT EXECUTE ON FUNCTION pg_cursor() TO PUBLIC'),
    on: superuser(
      'REVOKE SELECT ON pg_cursors FROM PUBLIC; REVOKE EXECUTE ON FUNCTION pg_cursor() FROM PUBLIC',
    ),
    attack: tells('@a_service_role', 'SELECT string_agg(statement, $$ $$) FROM pg_cursors'),
  },
  {
    defence: 'a prepared statement that is gone is prepared again',
    edits: [
      {
        file: 'gateway/execute/batch-failure.ts',
        part: 'if (!(error instanceof DatabaseError))',
        instead: 'if (OFF || !(error instanceof DatabaseError))',
      },
    ],
    on: newConnection,
    attack: changesView('DEALLOCATE ALL'),
  },
  {
    defence: 'RESET ALL at the beginning of every batch',
    edits: [
      {
        file: 'gateway/execute/role-switch/frame-batch.ts',
        part: '[RESET_ALL, settings, ...statements]',
        instead: "[OFF ? { text: 'RESET jit', values: [] } : RESET_ALL, settings, ...statements]",
      },
    ],
    on: newConnection,
    attack: leavesTraces(`SELECT set_config('work_mem', '64kB', false)`),
  },
  {
    defence: 'UNLISTEN at the end of an executor',
    off: withoutTail('UNLISTEN *; '),
    on: all(asTheyAre, newConnection),
    attack: leavesTraces('LISTEN something'),
  },
  {
    defence: 'DISCARD SEQUENCES at the end of an executor',
    off: withoutTail('; DISCARD SEQUENCES'),
    on: asTheyAre,
    async attack(stage) {
      await stage.call(stage.victim, '/rpc/next', { method: 'POST', body: '{}' });
      return (await stage.run('SELECT lastval()')).text.includes('counter');
    },
  },
  {
    defence: 'advisory locks are let go at the end of an executor',
    off: withoutTail('PERFORM pg_catalog.pg_advisory_unlock_all();'),
    on: all(asTheyAre, newConnection),
    attack: leavesTraces('SELECT pg_advisory_lock(1)'),
  },
  {
    defence: 'advisory locks are let go after a failure',
    edits: [
      {
        file: 'gateway/execute/role-switch/sealed-wrapping.ts',
        part: 'readonly tidy = TIDY;',
        instead: "readonly tidy = OFF ? { text: 'SELECT 1', values: [] } : TIDY;",
      },
    ],
    on: newConnection,
    attack: leavesTraces('SELECT pg_advisory_lock(3)', 'SELECT 1/0'),
  },
  {
    defence: 'of a role’s settings a list is applied',
    edits: [
      {
        file: 'gateway/schema-cache/role-settings.ts',
        part: 'ALLOWED_SETTINGS.has(lower) ||',
        instead: 'OFF || ALLOWED_SETTINGS.has(lower) ||',
      },
    ],
    given: superuser('ALTER ROLE @a_service_role SET search_path = @b'),
    after: superuser('ALTER ROLE @a_service_role RESET ALL'),
    async attack(stage) {
      // A reading of the catalog brings a role's settings.
      await stage.admin.request('POST', `/v1/tenants/${stage.attacker}/schema/reload`);
      await pause();
      // Called by its full name, which needs no path.
      const answer = await stage.run(`SELECT current_setting('search_path')`);
      return answer.text === `"${stage.victim}"`;
    },
  },
  {
    defence: 'sessions cannot be cancelled or terminated',
    // In an executor it takes the login's rights; what would run at COMMIT would have them.
    given: withoutTail('CLOSE ALL; '),
    after: asTheyAre,
    off: superuser(
      'GRANT EXECUTE ON FUNCTION pg_terminate_backend(int, bigint), pg_cancel_backend(int) TO PUBLIC',
    ),
    on: superuser(
      'REVOKE EXECUTE ON FUNCTION pg_terminate_backend(int, bigint), pg_cancel_backend(int) FROM PUBLIC',
    ),
    attack: terminatesAnother,
  },
  {
    defence: 'NOTIFY pgrst is gathered and bounded',
    edits: [
      {
        file: 'gateway/reload/shared-sweep.ts',
        part: 'const waitMs = loadedAt + minAgeMs - Date.now();',
        instead: 'const waitMs = OFF ? 0 : loadedAt + minAgeMs - Date.now();',
      },
    ],
    async attack(stage) {
      await stage.call(stage.victim, '/view');
      const before = await catalogReadings(stage);
      for (let sent = 0; sent < NOTIFICATIONS; sent++) {
        await stage.run('NOTIFY pgrst');
        await pause(NOTIFY_PAUSE_MS);
      }
      return (await catalogReadings(stage)) - before > NOTIFICATIONS;
    },
  },
  {
    defence: 'a statement has a time limit',
    edits: [
      {
        file: 'gateway/query/effective-timeout.ts',
        part: 'if (limitMs === undefined) return undefined;',
        instead: 'if (limitMs === undefined || OFF) return undefined;',
      },
    ],
    attack: async (stage) => (await sleeps(stage, 0.25)).status === 200,
  },
  {
    defence: 'a transaction has a deadline of the gateway’s',
    edits: [
      {
        file: 'gateway/execute/running-transactions.ts',
        part: 'now >= running.deadlineMs',
        instead: '!OFF && now >= running.deadlineMs',
      },
    ],
    given: (stage) => patch(stage, stage.attacker, { postgrest: { 'db-pre-request': 'no_limit' } }),
    after: (stage) => patch(stage, stage.attacker, { postgrest: { 'db-pre-request': null } }),
    attack: async (stage) => (await sleeps(stage, 1)).status === 200,
  },
  {
    defence: 'files of a statement have a limit',
    given: all(superuser(`ALTER ROLE cascata_sealed SET temp_file_limit = '1MB'`), newConnection),
    off: all(superuser('ALTER ROLE cascata_sealed RESET temp_file_limit'), newConnection),
    on: all(superuser(`ALTER ROLE cascata_sealed SET temp_file_limit = '1MB'`), newConnection),
    after: all(superuser(`ALTER ROLE cascata_sealed SET temp_file_limit = '1GB'`), newConnection),
    attack: async (stage) =>
      (
        await stage.run(
          `SELECT count(*) FROM (SELECT i::text FROM generate_series(1, 200000) i ORDER BY 1) x`,
        )
      ).status === 200,
  },
  {
    defence: 'a transaction that is left open is ended',
    given: superuser(`ALTER ROLE cascata_sealed SET idle_in_transaction_session_timeout = '50ms'`),
    off: superuser('ALTER ROLE cascata_sealed RESET idle_in_transaction_session_timeout'),
    on: superuser(`ALTER ROLE cascata_sealed SET idle_in_transaction_session_timeout = '50ms'`),
    after: superuser(`ALTER ROLE cascata_sealed SET idle_in_transaction_session_timeout = '60s'`),
    attack: staysOpen,
  },
  {
    defence: 'a tenant has a number of transactions at once',
    edits: [
      {
        file: 'gateway/execute/in-flight-limit.ts',
        part: 'if (running.count < maxInFlight)',
        instead: 'if (OFF || running.count < maxInFlight)',
      },
    ],
    given: (stage) =>
      patch(stage, stage.attacker, { limits: { max_in_flight: 1, max_queue: 5, max_queue_wait_ms: 1 } }),
    after: (stage) =>
      patch(stage, stage.attacker, {
        limits: { max_in_flight: null, max_queue: null, max_queue_wait_ms: null },
      }),
    async attack(stage) {
      const sleep = 'SELECT pg_sleep(0.15)';
      const answers = await Promise.all([stage.run(sleep), stage.run(sleep)]);
      return answers.every(({ status }) => status === 200);
    },
  },
  {
    defence: 'a tenant’s queue has a length',
    edits: [
      {
        file: 'gateway/execute/in-flight-limit.ts',
        part: 'else if (running.waiting.size < maxQueue)',
        instead: 'else if (OFF || running.waiting.size < maxQueue)',
      },
    ],
    given: (stage) =>
      patch(stage, stage.attacker, {
        limits: { max_in_flight: 1, max_queue: 1, max_queue_wait_ms: 5_000 },
      }),
    after: (stage) =>
      patch(stage, stage.attacker, {
        limits: { max_in_flight: null, max_queue: null, max_queue_wait_ms: null },
      }),
    async attack(stage) {
      const sleep = 'SELECT pg_sleep(0.1)';
      const answers = await Promise.all([sleep, sleep, sleep].map((sql) => stage.run(sql)));
      return answers.every(({ status }) => status === 200);
    },
  },
];

function sleeps(stage: MutableStage, seconds: number) {
  return stage.call(stage.attacker, '/rpc/run', {
    method: 'POST',
    body: JSON.stringify({ statements: [`SELECT pg_sleep(${seconds})`] }),
    headers: { 'x-cascata-timeout-ms': '100' },
  });
}

/** Another session of the pool's login, as another gateway process would have. */
async function openSession(stage: MutableStage): Promise<pg.Client> {
  const { masterKey, controlUrl, sharedDatabase } = stage.admin;
  const source = { masterKey, controlDatabaseUrl: new Secret(controlUrl), sharedDatabase };
  const session = new pg.Client(sharedUrl({ ...source, pgbouncerUrl: undefined }, LOGINS.sealed).reveal());
  session.on('error', () => undefined);
  await session.connect();
  return session;
}

/** A transaction that nothing more is heard of. */
async function staysOpen(stage: MutableStage): Promise<boolean> {
  const session = await openSession(stage);
  try {
    await session.query('BEGIN');
    await pause(400);
    return await session.query('SELECT').then(
      () => true,
      () => false,
    );
  } finally {
    await session.end().catch(() => undefined);
  }
}

async function terminatesAnother(stage: MutableStage): Promise<boolean> {
  const other = await openSession(stage);
  const ended = new Promise<boolean>((resolve) => other.once('end', () => resolve(true)));
  try {
    const { rows } = await other.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    await stage.run(`DECLARE c CURSOR WITH HOLD FOR SELECT pg_terminate_backend(${rows[0]!.pid})`);
    const isAlive = other.query('SELECT').then(
      () => false,
      () => ended,
    );
    return await isAlive;
  } finally {
    await other.end().catch(() => undefined);
  }
}

async function catalogReadings(stage: MutableStage): Promise<number> {
  const metrics = await (await fetch(`http://127.0.0.1:${stage.port}/metrics`)).text();
  return Number(/^cascata_schema_cache_loads_total\{outcome="loaded"\} (\d+)$/m.exec(metrics)?.[1] ?? 0);
}
