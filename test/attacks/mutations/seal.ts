import { executorsSql } from '../../../admin-worker/provision/executor.sql.ts';
import { MARKER } from '../support/tenant-sql.ts';
import { all, type MutableStage, type Mutation, newConnection, superuser, tells } from './mutation.ts';

/** Both tenants' executors with another text. */
function executors(change: (text: string) => string) {
  return async (stage: MutableStage): Promise<void> => {
    for (const id of [stage.attacker, stage.victim]) {
      await stage.admin.shared(change(executorsSql(`${id}_service_role`, stage.admin.masterKey)));
    }
  };
}
const asTheyAre = executors((text) => text);
const without = (part: string, instead = '') =>
  executors((text) => {
    if (!text.includes(part)) throw new Error(`no ${part} in the executors`);
    return text.replaceAll(part, instead);
  });

const OTHERS_EXECUTOR = `SELECT gate.@b_service_role('x', true, NULL, 'SELECT text FROM @b.secrets', '{}')`;
const OPEN_GATE = superuser(
  'GRANT USAGE ON SCHEMA gate TO PUBLIC; GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA gate TO PUBLIC',
);
const CLOSE_GATE = superuser(
  'REVOKE USAGE ON SCHEMA gate FROM PUBLIC; REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA gate FROM PUBLIC',
);
const HELD_LOOT = 'DECLARE c CURSOR WITH HOLD FOR SELECT tell_loot()';

/** Defers itself for as long as it runs as anybody but the login. */
const LATE = `
  SET search_path = @a; SET ROLE @a_owner;
  CREATE FUNCTION late() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'ran as %', current_user; END $$;
  CREATE CONSTRAINT TRIGGER late AFTER UPDATE ON own DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION late();
  RESET ROLE; RESET search_path`;

const LATER = `
  DROP TRIGGER IF EXISTS later ON public.own;
  CREATE OR REPLACE FUNCTION public.later() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    IF current_user = 'cascata_sealed' THEN RAISE EXCEPTION 'ran as %', current_user; END IF;
    SET CONSTRAINTS ALL DEFERRED;
    UPDATE own SET id = id;
    RETURN NULL;
  END $$;
  CREATE CONSTRAINT TRIGGER later AFTER UPDATE ON public.own DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION public.later();`;

/** What runs a tenant's SQL as the tenant and as nobody else. */
export const SEAL: readonly Mutation[] = [
  {
    defence: 'executors are SECURITY DEFINER',
    off: all(
      without('SECURITY DEFINER', 'SECURITY INVOKER'),
      superuser('GRANT @a_service_role TO cascata_sealed WITH INHERIT TRUE'),
    ),
    on: all(asTheyAre, superuser('REVOKE @a_service_role FROM cascata_sealed')),
    attack: tells('"cascata_sealed"', 'SELECT current_user::text'),
  },
  {
    defence: 'the login is a member of nothing',
    given: without('CLOSE ALL; '),
    after: asTheyAre,
    off: superuser('GRANT @b_service_role TO cascata_sealed'),
    on: superuser('REVOKE @b_service_role FROM cascata_sealed'),
    attack: tells(MARKER, HELD_LOOT),
  },
  {
    defence: 'SET CONSTRAINTS ALL IMMEDIATE at the end of an executor',
    given: superuser(LATE),
    after: superuser('DROP TRIGGER late ON @a.own; DROP FUNCTION @a.late()'),
    off: without('SET CONSTRAINTS ALL IMMEDIATE; '),
    on: asTheyAre,
    attack: tells('ran as cascata_sealed', 'UPDATE own SET id = id'),
  },
  {
    defence: 'CLOSE ALL at the end of an executor',
    off: without('CLOSE ALL; '),
    on: asTheyAre,
    attack: tells('ran as cascata_sealed', 'DECLARE c CURSOR WITH HOLD FOR SELECT tell_user()'),
  },
  {
    defence: 'migrations of sealed tenants make no deferrable trigger',
    edits: [
      {
        file: 'admin-worker/provision/run-migrations.ts',
        part: 'target.isSealed) await',
        instead: 'target.isSealed && !OFF) await',
      },
    ],
    on: superuser('DROP TRIGGER IF EXISTS later ON @a.own; DROP FUNCTION IF EXISTS @a.later()'),
    async attack(stage) {
      await stage.admin.migrate(stage.attacker, LATER);
      return tells('ran as cascata_sealed', 'UPDATE own SET id = id')(stage);
    },
  },
  {
    defence: 'no DDL through the pool',
    off: superuser('ALTER EVENT TRIGGER cascata_refuse_ddl DISABLE'),
    on: superuser(
      'ALTER EVENT TRIGGER cascata_refuse_ddl ENABLE ALWAYS; ALTER DEFAULT PRIVILEGES FOR ROLE @a_service_role REVOKE SELECT ON TABLES FROM PUBLIC',
    ),
    attack: async (stage) =>
      (await stage.run('ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC')).status === 200,
  },
  {
    defence: 'the schema of the executors is closed',
    off: OPEN_GATE,
    on: CLOSE_GATE,
    attack: tells('wrong token', OTHERS_EXECUTOR),
  },
  {
    defence: 'executors demand their token',
    given: OPEN_GATE,
    after: CLOSE_GATE,
    off: all(without('IS NOT TRUE', 'IS NULL'), OPEN_GATE),
    on: all(asTheyAre, OPEN_GATE),
    attack: tells(MARKER, OTHERS_EXECUTOR),
  },
  {
    defence: 'executors name operators, functions and types in full',
    given: all(
      OPEN_GATE,
      superuser(`
        GRANT USAGE ON SCHEMA @a TO PUBLIC;
        CREATE FUNCTION @a.same(bytea, bytea) RETURNS bool LANGUAGE sql AS 'SELECT true';
        CREATE OPERATOR @a.= (LEFTARG = bytea, RIGHTARG = bytea, FUNCTION = @a.same)`),
    ),
    after: all(
      CLOSE_GATE,
      superuser('DROP FUNCTION @a.same(bytea, bytea) CASCADE; REVOKE USAGE ON SCHEMA @a FROM PUBLIC'),
    ),
    off: all(without('OPERATOR(pg_catalog.=)', '='), OPEN_GATE),
    on: all(asTheyAre, OPEN_GATE),
    attack: tells(MARKER, 'SET LOCAL search_path = @a, pg_catalog', OTHERS_EXECUTOR),
  },
  {
    defence: 'nobody has TEMPORARY',
    given: superuser('ALTER EVENT TRIGGER cascata_refuse_ddl DISABLE'),
    after: superuser('ALTER EVENT TRIGGER cascata_refuse_ddl ENABLE ALWAYS'),
    off: superuser(
      `DO $$ BEGIN EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO PUBLIC', current_database()); END $$`,
    ),
    on: all(
      superuser(
        `DO $$ BEGIN EXECUTE format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC', current_database()); END $$`,
      ),
      newConnection,
    ),
    async attack(stage) {
      const before = await stage.traces();
      await stage.run('CREATE TEMP TABLE secrets (id int, text text)', 'GRANT SELECT ON secrets TO PUBLIC');
      return (await stage.traces()) !== before;
    },
  },
  {
    defence: 'migrations run on a login of their own',
    edits: [
      {
        file: 'admin-worker/provision/migration-login.ts',
        part: 'return { name, password: new Secret(password) };',
        instead:
          "if (OFF) await client.query('ALTER ROLE ' + quoteIdent(name) + ' SUPERUSER');\n  return { name, password: new Secret(password) };",
      },
    ],
    async attack(stage) {
      const sql = 'DO $$ BEGIN RESET ROLE; PERFORM text FROM @b.secrets; END $$;';
      return String((await stage.admin.migrate(stage.attacker, stage.named(sql))).state) === 'completed';
    },
  },
];
