import { executorsSql } from '../../../admin-worker/provision/executor.sql.ts';
import { speakRaw } from './speak.ts';
import type { Stage } from './stage.ts';
import { MARKER } from './tenant-sql.ts';

/** A defence, how a test switches it off in a running system, and an attack that it alone keeps out. */
export interface Mutation {
  readonly defence: string;
  off(stage: Stage): Promise<unknown>;
  on(stage: Stage): Promise<unknown>;
  /** Whether the attack has succeeded. */
  attack(stage: Stage): Promise<boolean>;
}

/** Statements of a superuser in the shared database. */
const superuser = (sql: string) => (stage: Stage) => stage.admin.shared(stage.named(sql));

/** Both tenants' executors with another text. */
function executors(change: (text: string) => string) {
  return async (stage: Stage): Promise<void> => {
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

const tells =
  (part: string, ...statements: readonly string[]) =>
  async (stage: Stage): Promise<boolean> =>
    (await stage.run(...statements)).text.includes(part);

/** What the victim finds in its session after the attacker's request is another than what it found before. */
const leavesTraces =
  (...statements: readonly string[]) =>
  async (stage: Stage): Promise<boolean> => {
    const before = await stage.traces();
    await stage.run(...statements);
    return (await stage.traces()) !== before;
  };

/** The pool's one connection is made anew. */
const newConnection = superuser(
  `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'cascata_sealed' AND datname = current_database()`,
);

const HELD_LOOT = 'DECLARE c CURSOR WITH HOLD FOR SELECT tell_loot()';
const OTHERS_EXECUTOR = `SELECT gate.@b_service_role('x', true, NULL, 'SELECT text FROM @b.secrets', '{}')`;
const OPEN_GATE =
  'GRANT USAGE ON SCHEMA gate TO PUBLIC; GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA gate TO PUBLIC';
const CLOSE_GATE =
  'REVOKE USAGE ON SCHEMA gate FROM PUBLIC; REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA gate FROM PUBLIC';
const GUARD = 'EVENT TRIGGER cascata_refuse_ddl';
const TOKEN_CHECK = 'IS NOT TRUE';

const all =
  (...steps: readonly ((stage: Stage) => Promise<unknown>)[]) =>
  async (stage: Stage): Promise<void> => {
    for (const step of steps) await step(stage);
  };

export const MUTATIONS: readonly Mutation[] = [
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
    defence: 'CLOSE ALL at the end of an executor',
    off: without('CLOSE ALL; '),
    on: asTheyAre,
    attack: tells('ran as cascata_sealed', 'DECLARE c CURSOR WITH HOLD FOR SELECT tell_user()'),
  },
  {
    defence: 'the login is a member of nothing (with CLOSE ALL off too)',
    off: all(without('CLOSE ALL; '), superuser('GRANT @b_service_role TO cascata_sealed')),
    on: all(asTheyAre, superuser('REVOKE @b_service_role FROM cascata_sealed')),
    attack: tells(MARKER, HELD_LOOT),
  },
  {
    defence: 'SET CONSTRAINTS ALL IMMEDIATE at the end of an executor',
    off: all(
      without('SET CONSTRAINTS ALL IMMEDIATE; '),
      superuser(`SET search_path = @a; SET ROLE @a_owner;
        CREATE FUNCTION late() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'ran as %', current_user; END $$;
        CREATE CONSTRAINT TRIGGER late AFTER UPDATE ON own DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION late();
        RESET ROLE; RESET search_path`),
    ),
    on: all(asTheyAre, superuser('DROP TRIGGER late ON @a.own; DROP FUNCTION @a.late()')),
    attack: tells('ran as cascata_sealed', 'UPDATE own SET id = id'),
  },
  {
    defence: 'UNLISTEN at the end of an executor',
    off: without('UNLISTEN *; '),
    on: all(asTheyAre, newConnection),
    attack: leavesTraces('LISTEN something'),
  },
  {
    defence: 'advisory locks are let go at the end of an executor',
    off: without('PERFORM pg_catalog.pg_advisory_unlock_all();'),
    on: all(asTheyAre, newConnection),
    attack: leavesTraces('SELECT pg_advisory_lock(1)'),
  },
  {
    defence: 'DISCARD SEQUENCES at the end of an executor',
    off: without('; DISCARD SEQUENCES'),
    on: asTheyAre,
    async attack(stage) {
      await stage.call(stage.victim, '/rpc/next', { method: 'POST', body: '{}' });
      return (await stage.run('SELECT lastval()')).text.includes('counter');
    },
  },
  {
    defence: 'RESET ALL at the beginning of every batch',
    // The stage's proxy puts a harmless statement of the same length in its place.
    off: all(async (stage) => stage.mutateWire?.('RESET ALL', 'RESET jit'), newConnection),
    on: all(async (stage) => stage.mutateWire?.(undefined, ''), newConnection),
    attack: leavesTraces(`SELECT set_config('work_mem', '64kB', false)`),
  },
  {
    defence: 'no DDL through the pool',
    off: superuser(`ALTER ${GUARD} DISABLE`),
    on: superuser(
      `ALTER ${GUARD} ENABLE ALWAYS; ALTER DEFAULT PRIVILEGES FOR ROLE @a_service_role REVOKE SELECT ON TABLES FROM PUBLIC`,
    ),
    attack: async (stage) =>
      (await stage.run('ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC')).status === 200,
  },
  {
    defence: 'nobody has TEMPORARY (with DDL allowed too)',
    off: superuser(
      `ALTER ${GUARD} DISABLE; DO $$ BEGIN EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO PUBLIC', current_database()); END $$`,
    ),
    on: all(
      superuser(
        `ALTER ${GUARD} ENABLE ALWAYS; DO $$ BEGIN EXECUTE format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC', current_database()); END $$`,
      ),
      newConnection,
    ),
    attack: leavesTraces(
      'CREATE TEMP TABLE secrets (id int, text text)',
      'GRANT SELECT ON secrets TO PUBLIC',
    ),
  },
  {
    defence: 'the schema of the executors is closed',
    off: superuser(OPEN_GATE),
    on: superuser(CLOSE_GATE),
    attack: tells('wrong token', OTHERS_EXECUTOR),
  },
  {
    defence: 'executors demand their token (with the schema open too)',
    off: all(without(TOKEN_CHECK, 'IS NULL'), superuser(OPEN_GATE)),
    on: all(superuser(CLOSE_GATE), asTheyAre),
    attack: tells(MARKER, OTHERS_EXECUTOR),
  },
  {
    defence: 'prepared statements cannot be listed',
    off: superuser(
      'GRANT SELECT ON pg_prepared_statements TO PUBLIC; GRANT EXECUTE ON FUNCTION pg_prepared_statement() TO PUBLIC',
    ),
    on: superuser(
      'REVOKE SELECT ON pg_prepared_statements FROM PUBLIC; REVOKE EXECUTE ON FUNCTION pg_prepared_statement() FROM PUBLIC',
    ),
    attack: (stage) =>
      tells(
        `${stage.victim}_service_role`,
        'SELECT string_agg(statement, $$ $$) FROM pg_prepared_statements',
      )(stage),
  },
  {
    defence: 'sources of functions are hidden',
    off: superuser('GRANT SELECT ON pg_proc TO PUBLIC'),
    on: superuser('REVOKE SELECT ON pg_proc FROM PUBLIC'),
    attack: tells(MARKER, `SELECT string_agg(prosrc, '') FROM pg_proc`),
  },
  {
    defence: 'comments are hidden',
    off: superuser('GRANT SELECT ON pg_description TO PUBLIC'),
    on: superuser('REVOKE SELECT ON pg_description FROM PUBLIC'),
    attack: tells(MARKER, 'SELECT string_agg(description, $$ $$) FROM pg_description'),
  },
  {
    defence: 'each tenant has keys of its own for tokens',
    off: (stage) => giveSecret(stage, stage.jwtSecret(stage.attacker)),
    on: (stage) => giveSecret(stage, stage.jwtSecret(stage.victim)),
    async attack(stage) {
      const authorization = `Bearer ${await stage.sign(stage.attacker, { role: 'service_role' })}`;
      return (
        await stage.call(stage.victim, '/secrets', { headers: { apikey: '', authorization } })
      ).text.includes(MARKER);
    },
  },
  {
    defence: 'the audience of tokens is checked',
    off: (stage) => setting(stage, null),
    on: (stage) => setting(stage, 'victim'),
    async attack(stage) {
      const authorization = `Bearer ${await stage.sign(stage.victim, { role: 'service_role', aud: 'somebody-else' })}`;
      return (
        await stage.call(stage.victim, '/secrets', { headers: { apikey: '', authorization } })
      ).text.includes(MARKER);
    },
  },
];

async function giveSecret({ admin, victim }: Stage, secret: string): Promise<void> {
  await patch(admin, victim, { jwt: { secret } });
}

async function setting({ admin, victim }: Stage, audience: string | null): Promise<void> {
  await patch(admin, victim, { postgrest: { 'jwt-aud': audience } });
}

async function patch(admin: Stage['admin'], id: string, body: object): Promise<void> {
  const { status, text } = await admin.request('PATCH', `/v1/tenants/${id}`, { body });
  if (status !== 200) throw new Error(text);
}

/** Whose answer a forwarded host gets: the victim's refuses the attacker's key. */
export async function believesForwardedHost(stage: Stage): Promise<boolean> {
  const { secret } = stage.keys(stage.attacker);
  const bytes = `GET /rest/v1/own HTTP/1.1\r\nHost: ${stage.attacker}.localhost\r\nX-Forwarded-Host: ${stage.victim}.localhost\r\napikey: ${secret}\r\n\r\n`;
  const [answer] = await speakRaw(stage.port, bytes, 1);
  return answer?.body.includes('GW105') === true;
}
