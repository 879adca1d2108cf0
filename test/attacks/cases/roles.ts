import type { Attack, AttackGroup } from '../support/attack.ts';
import { summaryOf } from '../support/speak.ts';
import type { Stage } from '../support/stage.ts';

const READ = 'SELECT text FROM @b.secrets';
const REFUSED = '403 42501';

/** A request that has one of the attacker's objects call `steal()`. */
function steals(name: string, tried: string, target: string, body?: string, asAnon = false): Attack {
  const run = async (stage: Stage) => {
    const answer = await stage.call(stage.attacker, target, {
      ...(body === undefined ? {} : { method: 'POST', body }),
      headers: {
        prefer: 'return=representation',
        ...(asAnon ? { apikey: stage.keys(stage.attacker).publishable } : {}),
      },
    });
    return { back: summaryOf(answer), received: answer.text };
  };
  return { name, tried, run, back: asAnon ? '401 42501' : REFUSED };
}

/** ISOLATION §1, rows 1 to 8, and other places from which PostgreSQL calls functions. */
export const BECOMING_SOMEBODY_ELSE: AttackGroup = {
  title: 'Becoming another tenant',
  attacks: [
    {
      name: 'set-local-role',
      tried: '`SET LOCAL ROLE` in a function',
      sql: ['SET LOCAL ROLE @b_service_role', READ],
      back: REFUSED,
    },
    {
      name: 'set-role',
      tried: '`SET ROLE` in a function',
      sql: ['SET ROLE @b_service_role', READ],
      back: REFUSED,
    },
    {
      name: 'set-config',
      tried: "`set_config('role', …, true)`",
      sql: [`SELECT set_config('role', '@b_service_role', true)`, READ],
      back: REFUSED,
    },
    {
      name: 'set-config-session',
      tried: "`set_config('role', …, false)`, which outlasts COMMIT",
      sql: [`SELECT set_config('role', '@b_service_role', false)`, READ],
      back: REFUSED,
    },
    {
      name: 'update-pg-settings',
      tried: '`UPDATE pg_settings SET setting = …`',
      sql: [`UPDATE pg_settings SET setting = '@b_service_role' WHERE name = 'role'`, READ],
      back: REFUSED,
    },
    {
      name: 'reset-role',
      tried: '`RESET ROLE`, then going on as the login',
      sql: ['RESET ROLE', READ],
      back: REFUSED,
    },
    {
      name: 'reset-all',
      tried: '`RESET ALL` in the middle of a request',
      sql: ['RESET ALL', READ],
      back: REFUSED,
    },
    { name: 'discard-all', tried: '`DISCARD ALL`', sql: ['DISCARD ALL', READ], back: '500 25001' },
    { name: 'set-role-none', tried: '`SET ROLE none`', sql: ['SET ROLE none', READ], back: REFUSED },
    {
      name: 'session-authorization',
      tried: '`SET SESSION AUTHORIZATION`',
      sql: ['SET SESSION AUTHORIZATION @b_service_role', READ],
      back: REFUSED,
    },
    {
      name: 'reset-session-authorization',
      tried: '`RESET SESSION AUTHORIZATION`',
      sql: ['RESET SESSION AUTHORIZATION', READ],
      back: REFUSED,
    },
    {
      name: 'trusted-login',
      tried: '`SET ROLE cascata_trusted`',
      sql: ['SET ROLE cascata_trusted', READ],
      back: REFUSED,
    },
    { name: 'superuser', tried: '`SET ROLE postgres`', sql: ['SET ROLE postgres', READ], back: REFUSED },
    {
      name: 'own-owner',
      tried: '`SET ROLE` to its own owner, who may do DDL',
      sql: ['SET ROLE @a_owner', READ],
      back: REFUSED,
    },
    { name: 'read-by-name', tried: 'reading the other schema by its name', sql: [READ], back: REFUSED },
    {
      name: 'search-path',
      tried: 'a `search_path` of the other schema',
      sql: ['SET LOCAL search_path = @b', 'SELECT text FROM secrets'],
      back: '404 42P01',
    },
    steals('definer', '`SECURITY DEFINER` function', '/rpc/definer_steal', '{}'),
    steals('view', 'view', '/v_steal'),
    steals('rule', 'function that reads a view', '/rpc/rule_steal', '{}'),
    steals('policy', 'row-level security policy', '/p_steal', undefined, true),
    steals('default', 'column default, on INSERT … RETURNING', '/d_steal', '{"id":1}'),
    steals('trigger', 'trigger', '/t_steal', '{"id":1}'),
    steals('check', 'check constraint', '/c_steal', '{"id":1}'),
    steals('domain', 'domain as an argument', '/rpc/takes_domain', '{"d":1}'),
    steals('computed', 'computed column', '/own?select=id,computed'),
    steals('attribute', 'function attribute `SET role = …`', '/rpc/f_steal', '{}'),
    steals('aggregate', 'final function of an aggregate', '/rpc/aggregated', '{}'),
    { name: 'operator', tried: 'operator of its own', sql: ['SELECT OPERATOR(@a.!!!) 1'], back: REFUSED },
    {
      name: 'do',
      tried: 'anonymous block',
      sql: [`DO $$ BEGIN SET LOCAL ROLE @b_service_role; END $$`],
      back: REFUSED,
    },
    {
      name: 'handler',
      tried: 'exception handler that tries again',
      sql: [
        `DO $$ BEGIN SET ROLE @b_service_role; EXCEPTION WHEN OTHERS THEN PERFORM set_config('role', '@b_service_role', false); END $$`,
      ],
      back: REFUSED,
    },
    { name: 'commit', tried: 'procedure that COMMITs', sql: ['CALL commits()'], back: '500 2D000' },
    {
      name: 'commit-do',
      tried: 'anonymous block that COMMITs',
      sql: ['DO $$ BEGIN COMMIT; END $$'],
      back: '500 2D000',
    },
  ],
};
