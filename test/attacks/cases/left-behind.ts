import type { AttackGroup } from '../support/attack.ts';

/** ISOLATION §1, rows 9 to 14. What comes back is 200: the attempt is allowed, and comes to nothing. */
export const LEFT_BEHIND: AttackGroup = {
  title: 'Leaving something for the next request on the connection',
  attacks: [
    { name: 'search-path', tried: '`SET search_path`', sql: ['SET search_path = @a'], back: '200' },
    {
      name: 'claims',
      tried: 'claims set for the session',
      sql: [`SELECT set_config('request.jwt.claims', '{"role":"x","sub":"y"}', false)`],
      back: '200',
    },
    {
      name: 'request-headers',
      tried: '`response.headers` set for the session',
      sql: [`SELECT set_config('response.headers', '[{"X-Evil":"1"}]', false)`],
      back: '200',
    },
    {
      name: 'response-status',
      tried: '`response.status` set for the session',
      sql: [`SELECT set_config('response.status', '418', false)`],
      back: '418',
    },
    {
      name: 'statement-timeout',
      tried: '`SET statement_timeout = 1`',
      sql: ['SET statement_timeout = 1'],
      back: '200',
    },
    {
      name: 'work-mem',
      tried: '`SET work_mem`',
      sql: [`SELECT set_config('work_mem', '64kB', false)`],
      back: '200',
    },
    {
      name: 'custom',
      tried: 'setting of its own',
      sql: [`SELECT set_config('app.left', 'by mallory', false)`],
      back: '200',
    },
    {
      name: 'read-only',
      tried: '`SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY`',
      sql: ['SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY'],
      back: '200',
    },
    {
      name: 'isolation',
      tried: '`SET SESSION CHARACTERISTICS … SERIALIZABLE`',
      sql: ['SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE'],
      back: '200',
    },
    {
      name: 'planner',
      tried: 'planner switched off (`enable_indexscan`, `enable_seqscan`, `plan_cache_mode`)',
      sql: [
        'SET enable_indexscan = off',
        'SET enable_seqscan = off',
        'SET plan_cache_mode = force_generic_plan',
      ],
      back: '200',
    },
    {
      name: 'datestyle',
      tried: '`SET datestyle`, `timezone`, `bytea_output`',
      sql: [`SET datestyle = 'German'`, `SET timezone = 'Asia/Tokyo'`, 'SET bytea_output = escape'],
      back: '200',
    },
    { name: 'row-security', tried: '`SET row_security = off`', sql: ['SET row_security = off'], back: '200' },
    { name: 'listen', tried: '`LISTEN`', sql: ['LISTEN something'], back: '200' },
    {
      name: 'advisory-lock',
      tried: 'advisory locks',
      sql: ['SELECT pg_advisory_lock(1), pg_advisory_lock(2)'],
      back: '200',
    },
    {
      name: 'advisory-lock-failing',
      tried: 'advisory lock of a request that then fails',
      sql: ['SELECT pg_advisory_lock(3)', 'SELECT 1/0'],
      back: '400 22012',
    },
    { name: 'prepare', tried: '`PREPARE`', sql: ['PREPARE something AS SELECT 1'], back: '200' },
    { name: 'deallocate', tried: '`DEALLOCATE ALL`', sql: ['DEALLOCATE ALL'], back: '200' },
    { name: 'discard-plans', tried: '`DISCARD PLANS`', sql: ['DISCARD PLANS'], back: '200' },
    {
      name: 'with-hold',
      tried: '`DECLARE … CURSOR WITH HOLD`, whose query runs at COMMIT',
      sql: [`DECLARE c CURSOR WITH HOLD FOR SELECT set_config('app.left', current_user::text, false)`],
      back: '200',
    },
    {
      name: 'with-hold-steal',
      tried: 'the same, with a query that changes the role',
      sql: ['DECLARE c CURSOR WITH HOLD FOR SELECT steal()'],
      back: '200',
    },
    { name: 'cursor', tried: 'cursor left open', sql: ['DECLARE c CURSOR FOR SELECT 1'], back: '200' },
    {
      name: 'temp-table',
      tried: '`CREATE TEMP TABLE secrets`, which the next unqualified `secrets` would land in',
      sql: ['CREATE TEMP TABLE secrets (id int, text text)'],
      back: '403 42501',
    },
    {
      name: 'temp-view',
      tried: '`CREATE TEMP VIEW`',
      sql: [`CREATE TEMP VIEW secrets AS SELECT 1 AS id, 'x' AS text`],
      back: '403 42501',
    },
    {
      name: 'temp-sequence',
      tried: '`CREATE TEMP SEQUENCE`',
      sql: ['CREATE TEMP SEQUENCE s'],
      back: '403 42501',
    },
    {
      name: 'select-into-temp',
      tried: '`SELECT … INTO TEMP`',
      sql: [`SELECT 1 AS id INTO TEMP secrets`],
      back: '403 42501',
    },
    {
      name: 'replication-role',
      tried: '`SET session_replication_role = replica`, which switches triggers off',
      sql: ['SET session_replication_role = replica'],
      back: '403 42501',
    },
    {
      name: 'sleep',
      tried: '`SET statement_timeout = 0` and a long sleep',
      sql: ['SET statement_timeout = 0', 'SELECT pg_sleep(60)'],
      back: '500 57014',
    },
    {
      name: 'temp-file-limit',
      tried: '`SET temp_file_limit = -1`, and sorting more than the disk has',
      sql: [
        'SET temp_file_limit = -1',
        'SELECT count(*) FROM (SELECT FROM generate_series(1, 1e9) i ORDER BY i) x',
      ],
      back: '403 42501',
    },
    {
      name: 'lock-timeout',
      tried: '`SET lock_timeout`, `idle_in_transaction_session_timeout`',
      sql: ['SET lock_timeout = 1', 'SET idle_in_transaction_session_timeout = 1'],
      back: '200',
    },
  ],
};
