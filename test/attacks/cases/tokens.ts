import { createHmac } from 'node:crypto';
import type { Attack, AttackGroup } from '../support/attack.ts';
import { summaryOf } from '../support/speak.ts';
import type { Stage } from '../support/stage.ts';

const encode = (value: unknown): string =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

/** A token with any header, signed by HMAC with any text. */
function forge(header: object, claims: unknown, key: string): string {
  const signed = `${encode(header)}.${encode(claims)}`;
  return `${signed}.${createHmac('sha256', key).update(signed).digest('base64url')}`;
}

const SERVICE = { role: 'service_role' };

/** A token shown on the victim's host. */
function token(
  name: string,
  tried: string,
  make: (stage: Stage) => string | Promise<string>,
  back = '401 PGRST301',
): Attack {
  return {
    name,
    tried,
    back,
    run: async (stage) => {
      const headers = { apikey: '', authorization: `Bearer ${await make(stage)}` };
      const answer = await stage.call(stage.victim, '/secrets', { headers });
      return { back: summaryOf(answer), received: answer.text };
    },
  };
}

/** A token that the attacker's own auth service signed, on the attacker's own host. */
function ownToken(name: string, tried: string, claims: (stage: Stage) => object, back = '401 22023'): Attack {
  return {
    name,
    tried,
    back,
    run: async (stage) => {
      const authorization = `Bearer ${await stage.sign(stage.attacker, { ...claims(stage) })}`;
      const answer = await stage.call(stage.attacker, '/own', { headers: { apikey: '', authorization } });
      return { back: summaryOf(answer), received: answer.text };
    },
  };
}

function key(
  name: string,
  tried: string,
  headers: (stage: Stage) => Record<string, string>,
  back = '401 GW105',
): Attack {
  return {
    name,
    tried,
    back,
    run: async (stage) => {
      const answer = await stage.call(stage.victim, '/secrets', {
        headers: { apikey: '', ...headers(stage) },
      });
      return { back: summaryOf(answer), received: answer.text };
    },
  };
}

/** The victim's own secret, known to its own auth service only: these tokens show that even its signature does not make them good. */
const bySecret = (header: object, claims: unknown) => (stage: Stage) =>
  forge(header, claims, stage.jwtSecret(stage.victim));

const HS256 = { alg: 'HS256' };
const HOUR = 3_600;
const now = (): number => Math.floor(Date.now() / 1000);

/** Who a request is. */
export const TOKENS: AttackGroup = {
  title: 'Tokens and keys',
  attacks: [
    token('others-token', 'the attacker’s own `service_role` token on the victim’s host', (s) =>
      s.sign(s.attacker, SERVICE),
    ),
    token('others-anon', 'the attacker’s `anon` token on the victim’s host', (s) => s.keys(s.attacker).anon),
    token('none', '`alg: none`, no signature', () => `${encode({ alg: 'none' })}.${encode(SERVICE)}.`),
    token('none-case', '`alg: nOnE`', () => `${encode({ alg: 'nOnE' })}.${encode(SERVICE)}.`),
    token('none-signed', '`alg: none` with the attacker’s signature', (s) =>
      forge({ alg: 'none' }, SERVICE, s.jwtSecret(s.attacker)),
    ),
    token('no-signature', 'an empty signature', () => `${encode(HS256)}.${encode(SERVICE)}.`),
    token('empty-key', 'signed with the empty key', () => forge(HS256, SERVICE, '')),
    token('weak-key', 'signed with `secret`', () => forge(HS256, SERVICE, 'secret')),
    token('rs256', '`alg: RS256` for a secret', (s) =>
      forge({ alg: 'RS256' }, SERVICE, s.jwtSecret(s.attacker)),
    ),
    token('hs512', 'another HMAC than the secret is for', bySecret({ alg: 'HS512' }, SERVICE)),
    token('kid-path', '`kid: ../../../../dev/null`, signed with the empty key', () =>
      forge({ ...HS256, kid: '../../../../dev/null' }, SERVICE, ''),
    ),
    token('kid-sql', "`kid: x' UNION SELECT 'key`, signed with `key`", () =>
      forge({ ...HS256, kid: `x' UNION SELECT 'key` }, SERVICE, 'key'),
    ),
    token('kid-command', '`kid: |id`', () => forge({ ...HS256, kid: '|id' }, SERVICE, '')),
    token('jwk', 'a key in the token’s own header (`jwk`)', () =>
      forge({ ...HS256, jwk: { kty: 'oct', k: encode('key') } }, SERVICE, 'key'),
    ),
    token('jku', 'a key set’s URL in the header (`jku`, `x5u`)', () =>
      forge({ ...HS256, jku: 'http://127.0.0.1:1/', x5u: 'http://127.0.0.1:1/' }, SERVICE, 'key'),
    ),
    token('crit', 'an unknown critical extension', bySecret({ ...HS256, crit: ['x'], x: 1 }, SERVICE)),
    token('five-parts', 'an encrypted token', () => 'a.b.c.d.e'),
    token('huge', '12 kB of claims, signed with a wrong key', () =>
      forge(HS256, { ...SERVICE, x: 'x'.repeat(9_000) }, 'key'),
    ),
    token('cut', 'a good token without its last character', async (s) =>
      (await s.sign(s.victim, SERVICE)).slice(0, -1),
    ),
    token('swapped', 'a good token of `anon` with other claims', async (s) => {
      const [header, , signature] = (await s.sign(s.victim, { role: 'anon' })).split('.');
      return `${header}.${encode(SERVICE)}.${signature}`;
    }),
    token(
      'expired',
      'expired a minute ago',
      bySecret(HS256, { ...SERVICE, exp: now() - 60 }),
      '401 PGRST303',
    ),
    token('not-yet', 'valid in an hour', bySecret(HS256, { ...SERVICE, nbf: now() + HOUR }), '401 PGRST303'),
    token('future', 'issued in an hour', bySecret(HS256, { ...SERVICE, iat: now() + HOUR }), '401 PGRST303'),
    token('exp-text', '`exp` as text', bySecret(HS256, { ...SERVICE, exp: '99999999999' }), '401 PGRST303'),
    token(
      'exp-infinite',
      '`exp: 1e400`',
      bySecret(HS256, '{"role":"service_role","exp":1e400}'),
      '401 PGRST303',
    ),
    token('aud-object', '`aud` of another form', bySecret(HS256, { ...SERVICE, aud: {} }), '401 PGRST303'),
    token(
      'nested',
      'a token in a token',
      async (s) => forge(HS256, await s.sign(s.victim, SERVICE), s.jwtSecret(s.victim)),
      '401 PGRST303',
    ),
    token('array', 'claims that are an array', bySecret(HS256, [SERVICE]), '401 PGRST303'),
    ownToken('victims-role', 'a role claim of the victim’s role in full', (s) => ({
      role: `${s.victim}_service_role`,
    })),
    ownToken(
      'suffix-role',
      'a role claim that makes another tenant’s role after the attacker’s prefix (`b_service_role`)',
      () => ({ role: 'b_service_role' }),
    ),
    ownToken('owner-role', 'the role `owner`', () => ({ role: 'owner' })),
    ownToken('none-role', 'the role `none`', () => ({ role: 'none' })),
    ownToken('login-role', 'the role `cascata_trusted`', () => ({ role: 'cascata_trusted' })),
    ownToken('sql-role', 'a role with SQL in it', () => ({ role: 'anon"; RESET ROLE; --' })),
    ownToken('array-role', 'the role as an array', () => ({ role: ['service_role'] })),
    key('others-key', 'the attacker’s secret key', (s) => ({ apikey: s.keys(s.attacker).secret })),
    key('others-key-bearer', 'the same as a bearer token', (s) => ({
      authorization: `Bearer ${s.keys(s.attacker).secret}`,
    })),
    key('two-keys', 'two keys in one request', (s) => ({
      apikey: s.keys(s.attacker).secret,
      authorization: `Bearer ${s.keys(s.victim).publishable}`,
    })),
    key('key-beside-token', 'a wrong key beside a good token of `anon`', (s) => ({
      apikey: 'sb_secret_x',
      authorization: `Bearer ${s.keys(s.victim).anon}`,
    })),
    key('prefix-of-key', 'the first half of the victim’s key', (s) => ({
      apikey: s.keys(s.victim).secret.slice(0, 24),
    })),
    key('key-upper-case', 'the victim’s key in capitals', (s) => ({
      apikey: `sb_${s.keys(s.victim).secret.slice(3).toUpperCase()}`,
    })),
    {
      name: 'rotated',
      tried: 'a key that was rotated away a moment ago',
      back: '401 GW105',
      run: rotatedKey,
    },
  ],
};

async function rotatedKey(stage: Stage): Promise<{ back: string; received: string }> {
  const { publishable } = stage.keys(stage.attacker);
  const body = { keys: ['publishable'] };
  const path = `/v1/tenants/${stage.attacker}/keys/rotate`;
  const { status, text } = await stage.admin.request('POST', path, { body });
  if (status !== 200) throw new Error(text);
  for (let poll = 0; ; poll++) {
    const answer = await stage.call(stage.attacker, '/own', { headers: { apikey: publishable } });
    // The gateway hears of it by a notification, within milliseconds.
    if (answer.text.includes('GW105') || poll === 100)
      return { back: summaryOf(answer), received: answer.text };
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
