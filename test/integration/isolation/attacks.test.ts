import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { executorsSql } from '../../../admin-worker/provision/executor.sql.ts';
import { MARKER, migrate, startTwoTenants, type TwoTenants } from './two-tenants.ts';

let tenants: TwoTenants;
let untouched: unknown;

beforeAll(async () => {
  tenants = await startTwoTenants();
  untouched = await tenants.traces();
});

afterAll(() => tenants?.stop());

/** `bob` stands for the victim's id, `mallory` for the attacker's. */
const named = (text: string): string =>
  text.replaceAll('bob', tenants.victim).replaceAll('mallory', tenants.attacker);

/** Nothing of the victim's was told, and its next request is what it was before anything happened. */
async function expectNothing(text: string): Promise<void> {
  expect(text).not.toContain(MARKER);
  expect(await tenants.traces()).toEqual(untouched);
}

test('the attacker can run any SQL of its own, as its own role, sealed', async () => {
  expect((await tenants.run('SELECT text FROM own')).json).toBe('own');
  expect((await tenants.run(`SELECT current_user || ' ' || session_user`)).json).toBe(
    `${tenants.attacker}_service_role cascata_sealed`,
  );
  expect(untouched).toMatchObject({
    role: `${tenants.victim}_service_role`,
    session: 'cascata_sealed',
    rows: 1,
    locks: 0,
  });
});

describe('becoming somebody else', () => {
  const READ = 'SELECT text FROM bob.secrets';
  test.each([
    ['SET LOCAL ROLE', ['SET LOCAL ROLE bob_service_role', READ]],
    ['set_config of the transaction', [`SELECT set_config('role', 'bob_service_role', true)`, READ]],
    ['set_config of the session', [`SELECT set_config('role', 'bob_service_role', false)`, READ]],
    ['RESET ROLE', ['RESET ROLE', READ]],
    ['SET ROLE none', ['SET ROLE none', READ]],
    ['SET SESSION AUTHORIZATION', ['SET SESSION AUTHORIZATION bob_service_role', READ]],
    ['RESET SESSION AUTHORIZATION', ['RESET SESSION AUTHORIZATION', READ]],
    ['the trusted login', ['SET ROLE cascata_trusted', READ]],
    ['its own owner', ['SET ROLE mallory_owner', READ]],
  ])('%s is refused', async (_, statements) => {
    const answer = await tenants.run(...statements.map(named));
    expect([answer.status, answer.json]).toEqual([403, expect.objectContaining({ code: '42501' })]);
    expect(answer.text).toMatch(/within security-definer function|permission denied to set/);
    await expectNothing(answer.text);
  });

  test('reading the other schema by name is refused', async () => {
    const answer = await tenants.run(named(READ));
    expect(answer.json).toMatchObject({ code: '42501' });
    await expectNothing(answer.text);
  });

  test.each([
    ['a view', '/v_steal', undefined],
    ['a policy', '/p_steal', undefined],
    ['a default', '/d_steal', '{"id":1}'],
    ['a trigger', '/t_steal', '{"id":1}'],
    ['an attribute of a function', '/rpc/f_steal', '{}'],
  ])('%s that changes the role is refused', async (_, path, body) => {
    if (stolen === undefined) stolen = migrate(tenants.admin, tenants.attacker, named(STEALING_SQL));
    await stolen;
    await expect
      .poll(async () => (await tenants.call(tenants.attacker, '/v_steal')).text)
      .not.toContain('PGRST205');
    const answer = await tenants.call(tenants.attacker, path, {
      ...(body === undefined ? {} : { method: 'POST', body }),
      // service_role is above policies.
      headers: { prefer: 'return=representation', apikey: tenants.publishable(tenants.attacker) },
    });
    expect(answer.status).toBeGreaterThanOrEqual(400);
    await expectNothing(answer.text);
  });
  let stolen: Promise<unknown> | undefined;
});

const STEALING_SQL = `
  CREATE FUNCTION mallory.steal() RETURNS text LANGUAGE plpgsql AS $$
  DECLARE loot text;
  BEGIN
    PERFORM set_config('role', 'bob_service_role', true);
    SELECT text INTO loot FROM bob.secrets;
    RETURN loot;
  END $$;
  CREATE VIEW public.v_steal AS SELECT mallory.steal() AS loot;
  CREATE TABLE public.p_steal (id int);
  INSERT INTO public.p_steal VALUES (1);
  ALTER TABLE public.p_steal ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
  CREATE TABLE public.d_steal (id int, loot text DEFAULT mallory.steal());
  CREATE TABLE public.t_steal (id int, loot text);
  CREATE FUNCTION public.t_steal() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.loot := mallory.steal(); RETURN NEW; END $$;
  CREATE TRIGGER t BEFORE INSERT ON public.t_steal FOR EACH ROW EXECUTE FUNCTION public.t_steal();
  DO $do$ BEGIN
    EXECUTE $sql$ CREATE FUNCTION mallory.f_steal() RETURNS text LANGUAGE sql SET role = 'bob_service_role' AS 'SELECT text FROM bob.secrets' $sql$;
  EXCEPTION WHEN insufficient_privilege OR invalid_parameter_value THEN
    CREATE FUNCTION mallory.f_steal() RETURNS text LANGUAGE sql AS 'SELECT mallory.steal()';
  END $do$;
  CREATE POLICY p ON public.p_steal USING (mallory.steal() IS NOT NULL);`;

describe('what outlasts a request', () => {
  test.each([
    ['search_path', [`SET search_path = mallory`]],
    ['claims', [`SELECT set_config('request.jwt.claims', '{"role":"x"}', false)`]],
    ['statement_timeout', ['SET statement_timeout = 1']],
    ['work_mem', [`SELECT set_config('work_mem', '64kB', false)`]],
    ['access mode', ['SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY']],
    ['isolation level', ['SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE']],
    ['LISTEN', ['LISTEN something']],
    ['advisory locks', ['SELECT pg_advisory_lock(1), pg_advisory_lock(2)']],
    ['PREPARE', ['PREPARE something AS SELECT 1']],
    ['DEALLOCATE ALL', ['DEALLOCATE ALL']],
    ['DISCARD PLANS', ['DISCARD PLANS']],
  ])('%s does not', async (_, statements) => {
    const answer = await tenants.run(...statements.map(named));
    expect(answer.status).toBe(200);
    await expectNothing(answer.text);
  });

  test('an advisory lock does not, even when the request fails', async () => {
    const answer = await tenants.run('SELECT pg_advisory_lock(3)', 'SELECT 1/0');
    expect(answer.json).toMatchObject({ code: '22012' });
    await expectNothing(answer.text);
    const locks = await tenants.admin.shared(
      `SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid = 3`,
    );
    expect(locks).toEqual([]);
  });

  test('a cursor WITH HOLD is closed before its query runs', async () => {
    const answer = await tenants.run(
      `DECLARE c CURSOR WITH HOLD FOR SELECT set_config('app.held', current_user::text, false)`,
    );
    expect(answer.status).toBe(200);
    expect((await tenants.run(`SELECT current_setting('app.held', true)`)).json).not.toBe('cascata_sealed');
    await expectNothing(answer.text);
  });

  test('a sequence’s last value cannot be asked for by others, nor its name be seen in the error', async () => {
    await migrate(tenants.admin, tenants.attacker, 'CREATE SEQUENCE public.counting');
    expect((await tenants.run(named(`SELECT nextval('mallory.counting')`))).json).toBe('1');
    expect((await tenants.run('SELECT lastval()')).json).toMatchObject({ code: '55000' });
  });
});

describe('DDL through the pool', () => {
  test.each([
    'CREATE TEMP TABLE secrets (id int)',
    'CREATE TABLE mallory.more (id int)',
    'SELECT 1 AS id INTO mallory.more',
    'CREATE FUNCTION mallory.g() RETURNS int LANGUAGE sql AS $$ SELECT 1 $$',
    'ALTER FUNCTION gate.mallory_service_role(text, bool, text, text, text[]) SECURITY INVOKER',
    'DROP FUNCTION gate.mallory_service_role(text, bool, text, text, text[])',
    'GRANT EXECUTE ON FUNCTION gate.mallory_service_role(text, bool, text, text, text[]) TO PUBLIC',
    'REVOKE ALL ON mallory.own FROM mallory_anon',
    `COMMENT ON TABLE mallory.own IS 'x'`,
    'ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC',
    'DROP OWNED BY CURRENT_USER',
    'TRUNCATE bob.secrets',
    'DROP EVENT TRIGGER cascata_refuse_ddl',
    'ALTER EVENT TRIGGER cascata_refuse_ddl DISABLE',
    'CREATE EVENT TRIGGER mine ON ddl_command_start EXECUTE FUNCTION gate.refuse_ddl()',
    'ALTER DATABASE postgres SET work_mem = 64',
    `ALTER ROLE cascata_sealed PASSWORD 'x'`,
    'GRANT mallory_service_role TO mallory_anon',
    'CREATE EXTENSION dblink',
    'SET session_replication_role = replica',
    'SET event_triggers = off',
  ])('%s is refused', async (statement) => {
    const answer = await tenants.run(named(statement));
    expect(answer.json).toMatchObject({ code: expect.stringMatching(/^(42501|42704|0LP01)$/) });
    await expectNothing(answer.text);
  });

  test('the same DDL works as long as the guard is off: it is the guard that refuses it', async () => {
    const alter = named(
      'ALTER FUNCTION gate.mallory_service_role(text, bool, text, text, text[]) SECURITY INVOKER',
    );
    await tenants.admin.shared('ALTER EVENT TRIGGER cascata_refuse_ddl DISABLE');
    await tenants.admin.shared(named('GRANT USAGE ON SCHEMA gate TO mallory_service_role'));
    expect((await tenants.run(alter)).status).toBe(200);
    await tenants.admin.shared(named('REVOKE USAGE ON SCHEMA gate FROM mallory_service_role'));
    await tenants.admin.shared('ALTER EVENT TRIGGER cascata_refuse_ddl ENABLE ALWAYS');
    await tenants.admin.shared(executorsSql(`${tenants.attacker}_service_role`, tenants.admin.masterKey));
    expect((await tenants.run(alter)).json).toMatchObject({ code: '42501' });
  });
});

describe('executors', () => {
  const call = (role: string, token: string) =>
    `SELECT gate.${role}('${token}', true, NULL, 'SELECT text FROM bob.secrets', '{}')`;

  test('cannot be called, or even named, by the code of a request', async () => {
    for (const role of ['bob_service_role', 'mallory_anon', 'mallory_service_role']) {
      const answer = await tenants.run(named(call(role, 'x')));
      expect(answer.json).toMatchObject({ code: '42501', message: 'permission denied for schema gate' });
      await expectNothing(answer.text);
    }
  });

  test('demand a token of the login itself', async () => {
    await expect(asLogin(named(call('bob_service_role', 'x')))).rejects.toThrow('wrong token');
    await expect(asLogin(named(call('bob_service_role', 'x')).replace(`'x'`, 'NULL'))).rejects.toThrow(
      'wrong token',
    );
  });

  test('check the token with nobody’s operators but PostgreSQL’s', async () => {
    await migrate(
      tenants.admin,
      tenants.attacker,
      `CREATE FUNCTION public.yes(bytea, bytea) RETURNS bool LANGUAGE sql AS 'SELECT true';
       CREATE OPERATOR public.= (LEFTARG = bytea, RIGHTARG = bytea, FUNCTION = public.yes);
       CREATE DOMAIN public.text AS pg_catalog.text; CREATE DOMAIN public.bytea AS pg_catalog.bytea;`,
    );
    await tenants.admin.shared(named('GRANT USAGE ON SCHEMA mallory TO cascata_sealed'));
    await expect(
      asLogin(named('SET search_path = mallory, pg_catalog'), named(call('bob_service_role', 'x'))),
    ).rejects.toThrow('wrong token');
    await tenants.admin.shared(named('REVOKE USAGE ON SCHEMA mallory FROM cascata_sealed'));
  });

  /** As code would run that had got out of an executor. */
  async function asLogin(...statements: readonly string[]): Promise<void> {
    await tenants.admin
      .shared(`SET SESSION AUTHORIZATION cascata_sealed; ${statements.join('; ')}`)
      .finally(() => tenants.admin.shared('RESET SESSION AUTHORIZATION; RESET ALL'));
  }
});

describe('code that waits for COMMIT', () => {
  const DEFERRED = `
    CREATE FUNCTION public.late() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION 'ran as %', current_user; END $$;
    CREATE TABLE public.queue (id int);
    CREATE CONSTRAINT TRIGGER late AFTER INSERT ON public.queue DEFERRABLE INITIALLY DEFERRED
      FOR EACH ROW EXECUTE FUNCTION public.late();`;

  test('a deferrable trigger is refused by migrations of a sealed project', async () => {
    const job = await tenants.admin.migrate(tenants.attacker, DEFERRED);
    expect(job).toMatchObject({
      state: 'failed',
      error: { message: expect.stringContaining('trigger late on queue would run at COMMIT') },
    });
  });

  test('a deferrable exclusion constraint is refused, a deferrable foreign key is not', async () => {
    const exclusion = await tenants.admin.migrate(
      tenants.attacker,
      'CREATE TABLE public.times (during tsrange, EXCLUDE USING gist (during WITH &&) DEFERRABLE)',
    );
    expect(exclusion).toMatchObject({ state: 'failed' });
    await migrate(
      tenants.admin,
      tenants.attacker,
      'CREATE TABLE public.child (id int, parent int REFERENCES public.own DEFERRABLE INITIALLY DEFERRED)',
    );
    const answer = await tenants.run('INSERT INTO child VALUES (1, 999)');
    expect([answer.status, answer.json]).toEqual([409, expect.objectContaining({ code: '23503' })]);
  });

  test('runs inside the executor where there is some after all; without the flush it runs as the login', async () => {
    const role = `${tenants.attacker}_service_role`;
    await tenants.admin.shared(
      named(
        `SET search_path = mallory; SET ROLE mallory_owner; ${DEFERRED.replaceAll('public.', 'mallory.')} RESET ROLE; RESET search_path`,
      ),
    );
    const insert = () => tenants.run('INSERT INTO queue VALUES (1)');
    expect((await insert()).json).toMatchObject({ message: `ran as ${role}` });
    const executors = executorsSql(role, tenants.admin.masterKey);
    await tenants.admin.shared(executors.replaceAll('SET CONSTRAINTS ALL IMMEDIATE; ', ''));
    expect((await insert()).json).toMatchObject({ message: 'ran as cascata_sealed' });
    await tenants.admin.shared(executors);
    expect((await insert()).text).not.toContain('cascata_sealed');
    await tenants.admin.shared(named('DROP TABLE mallory.queue; DROP FUNCTION mallory.late()'));
  });
});

describe('the catalogs', () => {
  test.each([
    `SELECT string_agg(prosrc, '') FROM pg_proc`,
    'SELECT string_agg(pg_get_functiondef(oid), $$ $$) FROM pg_proc WHERE prokind = $$f$$',
    'SELECT string_agg(description, $$ $$) FROM pg_description',
    `SELECT obj_description('bob.secrets'::regclass)`,
    'SELECT string_agg(definition, $$ $$) FROM pg_views',
    'SELECT pg_get_viewdef(oid) FROM pg_class WHERE relkind = $$v$$',
    'SELECT string_agg(ev_action::text, $$ $$) FROM pg_rewrite',
    'SELECT string_agg(pg_get_expr(polqual, polrelid), $$ $$) FROM pg_policy',
    'SELECT string_agg(qual, $$ $$) FROM pg_policies',
    'SELECT string_agg(pg_get_expr(adbin, adrelid), $$ $$) FROM pg_attrdef',
    'SELECT string_agg(pg_get_constraintdef(oid), $$ $$) FROM pg_constraint',
    'SELECT string_agg(indexdef, $$ $$) FROM pg_indexes',
    'SELECT string_agg(pg_get_expr(indpred, indrelid), $$ $$) FROM pg_index',
    'SELECT string_agg(routine_definition, $$ $$) FROM information_schema.routines',
    'SELECT string_agg(view_definition, $$ $$) FROM information_schema.views',
    'SELECT string_agg(check_clause, $$ $$) FROM information_schema.check_constraints',
    'SELECT string_agg(column_default, $$ $$) FROM information_schema.columns',
    'SELECT string_agg(query, $$ $$) FROM pg_stat_activity',
    'SELECT string_agg(setconfig::text, $$ $$) FROM pg_db_role_setting',
    'SELECT string_agg(most_common_vals::text, $$ $$) FROM pg_stats',
  ])('%s tells nothing of the victim', async (statement) => {
    await expectNothing((await tenants.run(named(statement))).text);
  });

  test.each([
    'SELECT count(*) FROM pg_prepared_statements',
    'SELECT count(*) FROM pg_cursors',
    'SELECT count(*) FROM pg_prepared_statement()',
    'SELECT pg_terminate_backend(pg_backend_pid())',
    'SELECT pg_cancel_backend(pg_backend_pid())',
    `SELECT pg_total_relation_size('bob.secrets'::regclass)`,
    'SELECT sum(reltuples) FROM pg_class',
  ])('%s is refused', async (statement) => {
    expect((await tenants.run(named(statement))).json).toMatchObject({ code: '42501' });
  });

  test('names can still be looked up, as much SQL does', async () => {
    const statement = `SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      JOIN pg_attribute a ON a.attrelid = c.oid WHERE n.nspname = 'mallory' AND c.relname = 'own' AND a.attname = 'id'`;
    expect((await tenants.run(named(statement))).json).toBe('1');
    expect((await tenants.run(`SELECT count(*) FROM pg_policies WHERE policyname = 'none'`)).json).toBe('0');
  });
});

test('an error tells nothing of the executor', async () => {
  const answer = await tenants.call(tenants.attacker, '/own?id=eq.x');
  expect(answer.json).toEqual({
    code: '22P02',
    details: null,
    hint: null,
    message: 'invalid input syntax for type integer: "x"',
  });
});
