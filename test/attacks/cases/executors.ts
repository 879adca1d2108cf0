import type { Attack, AttackGroup } from '../support/attack.ts';

const call = (role: string, token = `'x'`): string =>
  `SELECT gate.${role}(${token}, true, NULL, 'SELECT text FROM @b.secrets', '{}')`;
const closed = (name: string, tried: string, ...sql: string[]): Attack => ({
  name,
  tried,
  sql,
  back: '403 42501',
});

/** ISOLATION §2: executors of others, prepared statements, and sessions of the same login. */
export const EXECUTORS: AttackGroup = {
  title: 'Executors, prepared statements, other sessions',
  attacks: [
    closed('other-executor', 'calling the other tenant’s executor', call('@b_service_role')),
    closed('other-executor-null', 'the same with NULL for a token', call('@b_service_role', 'NULL')),
    closed('own-executor', 'calling its own executor', call('@a_service_role')),
    closed('anon-executor', 'calling its own executor of another role', call('@a_anon')),
    closed('rows-executor', 'calling the executor for several rows', call('"1@b_service_role"')),
    closed(
      'gate-table',
      'reading the functions of `gate`',
      `SELECT string_agg(prosrc, '') FROM pg_proc WHERE pronamespace = (SELECT oid FROM pg_namespace WHERE nspname = 'gate')`,
    ),
    closed(
      'prepared-list',
      'listing prepared statements',
      'SELECT string_agg(name, $$,$$) FROM pg_prepared_statements',
    ),
    closed(
      'prepared-function',
      'the function behind that view',
      'SELECT count(*) FROM pg_prepared_statement()',
    ),
    closed('cursors', 'listing cursors', 'SELECT string_agg(name, $$,$$) FROM pg_cursors'),
    {
      name: 'redefine',
      tried: 'redefining prepared statements by names that clients use (`s1`, `S_1`, `cascata_1`, …)',
      sql: [
        `DO $$ BEGIN FOR n IN 0..300 LOOP EXECUTE 'PREPARE s' || n || ' AS SELECT 1'; EXECUTE 'PREPARE "S_' || n || '" AS SELECT 1'; EXECUTE 'PREPARE cascata_' || n || ' AS SELECT 1'; END LOOP; END $$`,
      ],
      back: '200',
    },
    {
      name: 'deallocate-redefine',
      tried: '`DEALLOCATE ALL`, then `PREPARE`',
      sql: ['DEALLOCATE ALL', `PREPARE s AS SELECT 'fake'`],
      back: '200',
    },
    closed(
      'cancel',
      '`pg_cancel_backend` on sessions of the pool',
      'SELECT bool_or(pg_cancel_backend(pid)) FROM pg_stat_activity',
    ),
    closed(
      'terminate',
      '`pg_terminate_backend` on sessions of the pool',
      'SELECT bool_or(pg_terminate_backend(pid)) FROM pg_stat_activity',
    ),
    {
      name: 'terminate-self',
      tried: '`pg_terminate_backend` on its own session',
      sql: ['SELECT pg_terminate_backend(pg_backend_pid())'],
      back: '403 42501',
    },
    {
      name: 'activity',
      tried: 'statements of other sessions in `pg_stat_activity`',
      sql: ['SELECT string_agg(query, $$ $$) FROM pg_stat_activity WHERE pid <> pg_backend_pid()'],
      back: '200',
    },
    {
      name: 'notify',
      tried: '`NOTIFY pgrst` with every payload the gateway knows',
      sql: [`NOTIFY pgrst, 'reload schema'`, `NOTIFY pgrst, 'reload config'`, `NOTIFY pgrst, ''`],
      back: '200',
    },
    {
      name: 'notify-registry',
      tried: '`NOTIFY` on the channels of the registry, which is in another database',
      sql: [`NOTIFY cascata_tenants, '{"tenantId":"x"}'`, `NOTIFY cascata, 'x'`],
      back: '200',
    },
    closed('sequence', '`nextval` of the other’s sequence', `SELECT nextval('@b.counter')`),
    {
      name: 'lastval',
      tried: '`lastval()` of whatever request came before',
      sql: ['SELECT lastval()'],
      back: '500 55000',
    },
    { name: 'large-object', tried: 'large objects by number', sql: [`SELECT lo_get(1)`], back: '400 42704' },
    closed('read-file', '`pg_read_file`', `SELECT pg_read_file('PG_VERSION')`),
    closed('ls-dir', '`pg_ls_dir`', `SELECT string_agg(f, ',') FROM pg_ls_dir('.') f`),
    closed('hba', '`pg_hba_file_rules`', 'SELECT count(*) FROM pg_hba_file_rules'),
    closed(
      'authid',
      'password hashes in `pg_authid`',
      'SELECT string_agg(rolpassword, $$,$$) FROM pg_authid',
    ),
    closed('mappings', '`pg_user_mapping`', 'SELECT count(*) FROM pg_user_mapping'),
    closed('slots', 'a replication slot', `SELECT pg_create_logical_replication_slot('x', 'pgoutput')::text`),
    {
      name: 'registry',
      tried: 'the registry, which is in another database',
      sql: ['SELECT count(*) FROM control.tenants'],
      back: '404 42P01',
    },
  ],
};

const hidden = (name: string, statement: string): Attack => ({
  name,
  tried: `\`${statement.replaceAll('@b', 'b').replaceAll('|', '\\|')}\``,
  sql: [statement],
  back: '403 42501',
});

/** ISOLATION §2: what one catalog tells of all tenants. */
export const CATALOGS: AttackGroup = {
  title: 'The catalogs',
  attacks: [
    hidden('functions', `SELECT string_agg(prosrc, '') FROM pg_proc`),
    hidden(
      'functiondef',
      'SELECT string_agg(pg_get_functiondef(oid), $$ $$) FROM pg_proc WHERE prokind = $$f$$',
    ),
    hidden('comments', 'SELECT string_agg(description, $$ $$) FROM pg_description'),
    hidden('comment', `SELECT obj_description('@b.secrets'::regclass)`),
    hidden('views', 'SELECT string_agg(definition, $$ $$) FROM pg_views'),
    hidden('viewdef', 'SELECT string_agg(pg_get_viewdef(oid), $$ $$) FROM pg_class WHERE relkind = $$v$$'),
    hidden('rewrite', 'SELECT string_agg(ev_action::text, $$ $$) FROM pg_rewrite'),
    hidden('policies', 'SELECT string_agg(qual, $$ $$) FROM pg_policies'),
    hidden('policy', 'SELECT string_agg(pg_get_expr(polqual, polrelid), $$ $$) FROM pg_policy'),
    hidden('defaults', 'SELECT string_agg(pg_get_expr(adbin, adrelid), $$ $$) FROM pg_attrdef'),
    hidden('constraints', 'SELECT string_agg(pg_get_constraintdef(oid), $$ $$) FROM pg_constraint'),
    hidden('indexes', 'SELECT string_agg(indexdef, $$ $$) FROM pg_indexes'),
    hidden('index-conditions', 'SELECT string_agg(pg_get_expr(indpred, indrelid), $$ $$) FROM pg_index'),
    hidden('role-settings', 'SELECT string_agg(setconfig::text, $$ $$) FROM pg_db_role_setting'),
    hidden('size', `SELECT pg_total_relation_size('@b.secrets'::regclass)`),
    hidden('row-counts', 'SELECT sum(reltuples) FROM pg_class'),
    {
      name: 'statistics',
      tried: 'values in `pg_stats`',
      sql: ['SELECT string_agg(most_common_vals::text, $$ $$) FROM pg_stats'],
      back: '200',
    },
  ],
};
