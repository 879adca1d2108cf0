import type { Attack, AttackGroup } from '../support/attack.ts';
import { summaryOf } from '../support/speak.ts';
import type { Stage } from '../support/stage.ts';

/** Asks the attacker's function for headers; `absent` must not be among those of the answer. */
function header(
  name: string,
  tried: string,
  headers: string,
  back: string,
  absent = 'x-smuggled',
  status = '200',
): Attack {
  return {
    name,
    tried,
    back,
    run: async (stage) => {
      const body = JSON.stringify({ list: headers, status });
      const answer = await stage.call(stage.attacker, '/rpc/headers', { method: 'POST', body });
      const isThere = Object.hasOwn(answer.headers, absent);
      return { back: `${summaryOf(answer)}${isThere ? ` with ${absent}` : ''}`, received: answer.text };
    },
  };
}

function raised(name: string, tried: string, error: object, back: string): Attack {
  return {
    name,
    tried,
    back,
    run: async (stage) => {
      const answer = await stage.call(stage.attacker, '/rpc/raise', {
        method: 'POST',
        body: JSON.stringify(error),
      });
      const isThere = Object.hasOwn(answer.headers, 'x-smuggled');
      return { back: `${summaryOf(answer)}${isThere ? ' with x-smuggled' : ''}`, received: answer.text };
    },
  };
}

const detail = (headers: object): string => JSON.stringify({ status: 400, headers });
const message = JSON.stringify({ code: 'x', message: 'y' });

function asked(
  name: string,
  tried: string,
  back: string,
  ask: (stage: Stage) => Promise<{ status: number; text: string }>,
): Attack {
  return {
    name,
    tried,
    back,
    run: async (stage) => {
      const answer = await ask(stage);
      return { back: summaryOf(answer), received: answer.text };
    },
  };
}

export const RESPONSES: AttackGroup = {
  title: 'Responses',
  attacks: [
    header(
      'crlf-value',
      'a line end in a value of `response.headers`',
      '[{"X-A":"1\\r\\nX-Smuggled: 1"}]',
      '500 PGRST111',
    ),
    header('crlf-name', 'a line end in a name', '[{"X-A: 1\\r\\nX-Smuggled":"1"}]', '500 PGRST111'),
    header(
      'unicode-crlf',
      'characters whose low byte is a line end (U+010D, U+010A)',
      '[{"X-A":"1\u010d\u010aX-Smuggled: 1"}]',
      '200',
    ),
    header('length', 'a `Content-Length` of its own', '[{"Content-Length":"1"}]', '200'),
    header(
      'transfer',
      '`Transfer-Encoding`, `Connection`, `Upgrade`',
      '[{"Transfer-Encoding":"chunked"},{"Connection":"X-Smuggled"},{"Upgrade":"h2c"}]',
      '200',
      'upgrade',
    ),
    header(
      'accel',
      '`X-Accel-Redirect`, which makes nginx answer with a file of its own',
      '[{"X-Accel-Redirect":"/internal"}]',
      '200',
      'x-accel-redirect',
    ),
    header('sendfile', '`X-Sendfile`', '[{"X-Sendfile":"/etc/passwd"}]', '200', 'x-sendfile'),
    header(
      'status-text',
      '`response.status` with a line end',
      '[]',
      '200',
      'x-smuggled',
      '200\r\nX-Smuggled: 1',
    ),
    header('status-1xx', '`response.status` 101', '[]', '500 PGRST112', 'x-smuggled', '101'),
    raised(
      'raised-header',
      'a line end in a raised header',
      { code: 'PGRST', message, detail: detail({ 'X-A': '1\r\nX-Smuggled: 1' }) },
      '500 PGRST121',
    ),
    raised(
      'raised-framing',
      'a raised `Content-Length`',
      { code: 'PGRST', message, detail: detail({ 'Content-Length': '0', 'X-Accel-Redirect': '/x' }) },
      '400 x',
    ),
    raised(
      'raised-code',
      'a line end in a raised code, which goes into `Proxy-Status`',
      {
        code: 'PGRST',
        message: JSON.stringify({ code: 'a\r\nX-Smuggled: 1', message: 'y' }),
        detail: detail({}),
      },
      '400 a\\r\\nX-Smuggled: 1',
    ),
    raised(
      'raised-status-text',
      'a line end in the status text',
      { code: 'PT418', message: 'tea\r\nX-Smuggled: 1', detail: '' },
      '418 PT418',
    ),
    asked(
      'type',
      'a media type of its own: the answer is not to be guessed at',
      '200 text/x-evil nosniff',
      async (stage) => {
        const answer = await stage.call(stage.attacker, '/rpc/evil_type', {
          headers: { accept: 'text/x-evil' },
        });
        const { 'content-type': type, 'x-content-type-options': sniff } = answer.headers;
        return { status: answer.status, text: `"code":"${type} ${sniff}"` };
      },
    ),
    asked('cors', 'reading another origin’s answers where origins are named', '200 none', async (stage) => {
      const body = { postgrest: { 'server-cors-allowed-origins': 'https://app.example' } };
      await stage.admin.request('PATCH', `/v1/tenants/${stage.attacker}`, { body });
      for (let poll = 0; poll < 100; poll++) {
        const headers = { origin: 'https://evil.example' };
        const answer = await stage.call(stage.attacker, '/own', { headers });
        const allowed = answer.headers['access-control-allow-origin'];
        if (allowed === undefined) return { status: answer.status, text: '"code":"none"' };
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      return { status: 200, text: '"code":"any"' };
    }),
    asked('hint', 'the name of a table of the victim’s, for a hint at it', '404 PGRST205', (stage) =>
      stage.call(stage.attacker, '/secret'),
    ),
    asked('hint-function', 'the name of a function of the victim’s', '404 PGRST202', (stage) =>
      stage.call(stage.attacker, '/rpc/trace'),
    ),
    asked('hint-embed', 'embedding a table of the victim’s', '400 PGRST200', (stage) =>
      stage.call(stage.attacker, '/own?select=secrets(*)'),
    ),
    asked('openapi', 'the API’s own description', '200', async (stage) => {
      const answer = await stage.call(stage.attacker, '/', {
        headers: { accept: 'application/openapi+json' },
      });
      return { status: /secrets|traces/.test(answer.text) ? 599 : answer.status, text: '' };
    }),
    asked('unknown-host', 'a host nobody has: the answer names nobody', '404 GW101', (stage) =>
      stage.call(stage.victim, '/', { headers: { host: 'nobody.localhost' } }),
    ),
  ],
};

export const ADMIN: AttackGroup = {
  title: 'The admin API',
  attacks: [
    asked('no-token', 'no token', '401 unauthorized', (stage) =>
      stage.admin.request('GET', '/v1/tenants', { token: '' }),
    ),
    asked('tenant-key', 'a tenant’s secret key for a token', '401 unauthorized', (stage) =>
      stage.admin.request('GET', '/v1/tenants', { token: stage.keys(stage.attacker).secret }),
    ),
    asked('prefix', 'the first half of the token', '401 unauthorized', (stage) =>
      stage.admin.request('GET', '/v1/tenants', { token: stage.admin.adminToken.slice(0, 16) }),
    ),
    asked(
      'prefix-id',
      'a tenant whose names would be another’s (`a_b` beside `a`)',
      '409 conflict',
      (stage) =>
        stage.admin.request('POST', '/v1/tenants', {
          body: { id: `${stage.victim}_x`, hosts: ['x.example'] },
        }),
    ),
    asked('taken-host', 'the victim’s host for a tenant of its own', '409 conflict', (stage) =>
      stage.admin.request('PATCH', `/v1/tenants/${stage.attacker}`, {
        body: { hosts: [`${stage.victim}.localhost`] },
      }),
    ),
    asked('no-store', 'keys kept by a cache on the way', '200 no-store', async (stage) => {
      const { status, headers } = await stage.admin.request('GET', `/v1/tenants/${stage.attacker}/keys`);
      return { status, text: `"code":"${headers.get('cache-control')}"` };
    }),
    asked('traversal', 'a tenant’s id with a path in it', '404 not_found', (stage) =>
      stage.admin.request('GET', '/v1/tenants/..%2f..%2fmetrics'),
    ),
    asked('migration-role', 'a migration that becomes another tenant', 'NaN', async (stage) =>
      failed(stage, 'SET ROLE @b_owner; CREATE TABLE @b.x (id int);'),
    ),
    asked('migration-grant', 'a migration that gives itself another tenant’s role', 'NaN', async (stage) =>
      failed(stage, 'GRANT @b_owner TO @a_owner;'),
    ),
    asked('migration-deferred', 'a migration with a trigger that waits for COMMIT', 'NaN', async (stage) =>
      failed(
        stage,
        `CREATE FUNCTION public.late() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'; CREATE CONSTRAINT TRIGGER late AFTER INSERT ON public.own DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.late();`,
      ),
    ),
    asked('migration-gate', 'a migration that replaces an executor', 'NaN', async (stage) =>
      failed(stage, 'CREATE OR REPLACE FUNCTION gate.@b_anon() RETURNS int LANGUAGE sql AS $$ SELECT 1 $$;'),
    ),
    asked('migration-commit', 'a migration that COMMITs', 'NaN', async (stage) =>
      failed(stage, 'COMMIT; SELECT 1;'),
    ),
    asked('brute-force', '21 wrong tokens', '429 too_many_requests', async (stage) => {
      let answer = { status: 0, text: '' };
      for (let attempt = 0; attempt < 21; attempt++)
        answer = await stage.admin.request('GET', '/v1/tenants', { token: `wrong-${attempt}` });
      return answer;
    }),
    asked('brute-force-victim', 'the operator’s own token meanwhile: never held up', '200', async (stage) => {
      const { status } = await stage.admin.request('GET', '/v1/tenants');
      return { status, text: '' };
    }),
  ],
};

/** A migration's request may be refused or its job fail; it must not complete. */
async function failed(stage: Stage, sql: string): Promise<{ status: number; text: string }> {
  const outcome = await stage.admin
    .migrate(stage.attacker, stage.named(sql))
    .catch(() => ({ state: 'failed' }));
  return { status: String(outcome.state) === 'completed' ? 200 : Number.NaN, text: '' };
}
