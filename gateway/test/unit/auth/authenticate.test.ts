import { createHash, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { SignJWT } from 'jose';
import { describe, expect, test } from 'vitest';
import type { AuthResult } from '../../../auth/auth-result.ts';
import { Authenticator } from '../../../auth/authenticate.ts';
import type { Observation } from '../../../platform/observation.ts';
import { Secret } from '../../../registry/secrets.ts';
import type { Tenant } from '../../../registry/tenant.ts';
import { aTenant, TEST_SECRET } from '../../support/tenant-builder.ts';

const NOW = 1_700_000_000;
const HS256 = { alg: 'HS256' };

function anAuthenticator(
  options: {
    readonly fetchText?: (url: string) => Promise<string>;
    readonly maxVerifiedTokens?: number;
  } = {},
) {
  const clock = { now: NOW * 1000 };
  const observations: Observation[] = [];
  const authenticator = new Authenticator({
    observe: (observation) => void observations.push(observation),
    maxVerifiedTokens: 100,
    maxTenants: 10,
    now: () => clock.now,
    ...options,
  });
  const authenticate = (tenant: Tenant, authorization?: string, apikey?: string) =>
    authenticator.authenticate({ authorization, apikey }, tenant);
  return { authenticate, clock, observations };
}

function sign(
  claims: Record<string, unknown>,
  header: { alg: string; kid?: string } = HS256,
  key: KeyObject | Uint8Array = new TextEncoder().encode(TEST_SECRET),
): Promise<string> {
  return new SignJWT(claims).setProtectedHeader(header).sign(key);
}

async function failure(attempt: () => AuthResult | Promise<AuthResult>): Promise<unknown> {
  try {
    await attempt();
    return undefined;
  } catch (error) {
    return error;
  }
}

function refusal(code: string, message: string, details?: string) {
  return expect.objectContaining({
    code,
    status: 401,
    message,
    details,
    headers: { 'WWW-Authenticate': `Bearer error="invalid_token", error_description="${message}"` },
  });
}

const noKey = (details: string) => refusal('PGRST301', 'No suitable key or wrong key type', details);

describe('tokens', () => {
  test('a token names the role and gives the claims', async () => {
    const token = await sign({ role: 'authenticated', sub: 'u1' });
    expect(await anAuthenticator().authenticate(aTenant(), `Bearer ${token}`)).toEqual({
      role: 'authenticated',
      physicalRole: 'acme_authenticated',
      claimsJson: '{"role":"authenticated","sub":"u1"}',
      isAuthenticated: true,
      subject: 'u1',
    });
  });

  test('a verified token is answered without a promise the next time', async () => {
    const { authenticate, observations } = anAuthenticator();
    const tenant = aTenant();
    const authorization = `Bearer ${await sign({ role: 'authenticated' })}`;
    const first = await authenticate(tenant, authorization);
    expect(authenticate(tenant, authorization)).toBe(first);
    expect(observations).toEqual([
      { kind: 'jwt-cache', outcome: 'miss' },
      { kind: 'jwt-cache', outcome: 'hit' },
    ]);
  });

  test('a whole header is no key, although it was verified as a header', async () => {
    const { authenticate } = anAuthenticator();
    const tenant = aTenant();
    const header = `Bearer ${await sign({ role: 'authenticated' })}`;
    expect(await authenticate(tenant, header)).toMatchObject({ role: 'authenticated' });
    expect(await failure(() => authenticate(tenant, undefined, header))).toMatchObject({ status: 401 });
    expect(await failure(() => authenticate(tenant, undefined, header))).toMatchObject({ status: 401 });
    expect(await authenticate(tenant, header)).toMatchObject({ role: 'authenticated' });
  });

  test('a token that makes room for another is told of, and has to be verified again', async () => {
    const { authenticate, observations } = anAuthenticator({ maxVerifiedTokens: 1 });
    const tenant = aTenant();
    const [first, second] = [await sign({ role: 'anon' }), await sign({ role: 'authenticated' })];
    await authenticate(tenant, `Bearer ${first}`);
    await authenticate(tenant, `Bearer ${second}`);
    await authenticate(tenant, `Bearer ${first}`);
    expect(observations.map((observation) => 'outcome' in observation && observation.outcome)).toEqual([
      'miss',
      'miss',
      'eviction',
      'miss',
      'eviction',
    ]);
  });

  test('the times of a verified token are checked on each use', async () => {
    const { authenticate, clock } = anAuthenticator();
    const tenant = aTenant();
    const authorization = `Bearer ${await sign({ role: 'authenticated', exp: NOW + 60 })}`;
    await authenticate(tenant, authorization);
    clock.now += 91_000;
    expect(await failure(() => authenticate(tenant, authorization))).toEqual(
      refusal('PGRST303', 'JWT expired'),
    );
  });

  test('a token that was good is worth nothing once the secret changed', async () => {
    const { authenticate } = anAuthenticator();
    const authorization = `Bearer ${await sign({ role: 'authenticated' })}`;
    await authenticate(aTenant(), authorization);
    const rotated = aTenant({ jwt: { kind: 'secret', secret: new Secret(Buffer.alloc(32, 7)) } });
    expect(await failure(() => authenticate(rotated, authorization))).toEqual(
      noKey('None of the keys was able to decode the JWT'),
    );
  });

  test("a token is worth nothing on another tenant's host, also after it was verified on its own", async () => {
    const { authenticate } = anAuthenticator();
    const globex = aTenant({
      id: 'globex',
      jwt: { kind: 'secret', secret: new Secret(Buffer.alloc(32, 9)) },
    });
    const authorization = `Bearer ${await sign({ role: 'service_role' })}`;
    await authenticate(aTenant(), authorization);
    expect(await failure(() => authenticate(globex, authorization))).toEqual(
      noKey('None of the keys was able to decode the JWT'),
    );
  });

  test('a token that names the anonymous role is no more than no token', async () => {
    const token = await sign({ role: 'anon' });
    expect(await anAuthenticator().authenticate(aTenant(), `Bearer ${token}`)).toMatchObject({
      role: 'anon',
      isAuthenticated: false,
    });
  });

  test('a token without a role runs as the anonymous role with its own claims', async () => {
    const token = await sign({ sub: 'u1' });
    const { authenticate } = anAuthenticator();
    expect(await authenticate(aTenant(), `Bearer ${token}`)).toMatchObject({
      role: 'anon',
      claimsJson: '{"sub":"u1","role":"anon"}',
    });
    const closed = aTenant({ postgrest: { 'db-anon-role': null } });
    expect(await failure(() => authenticate(closed, `Bearer ${token}`))).toMatchObject({ code: 'PGRST302' });
  });

  test.each([
    ['', refusal('PGRST301', 'Empty JWT is sent in Authorization header')],
    ['x', refusal('PGRST301', 'Expected 3 parts in JWT; got 1')],
    ['a.b.c.d.e', refusal('PGRST301', 'Expected 3 parts in JWT; got 5')],
    ['!.b.c', refusal('PGRST301', 'JWT cryptographic operation failed')],
    [
      `${base64({ alg: 'XX1' })}.e30.c`,
      refusal('PGRST301', 'Wrong or unsupported encoding algorithm', "The 'alg' of the JWT is not supported"),
    ],
    [`${base64({ alg: 'HS512' })}.e30.c`, noKey('No suitable key was found to decode the JWT')],
    [`${base64({ alg: 'HS256', kid: 'k' })}.e30.c`, noKey('No suitable key was found to decode the JWT')],
    [`${base64({ alg: 'HS256' })}.e30.c2ln`, noKey('None of the keys was able to decode the JWT')],
  ])('the token %j is refused', async (token, expected) => {
    expect(await failure(() => anAuthenticator().authenticate(aTenant(), `Bearer ${token}`))).toEqual(
      expected,
    );
  });

  test.each(['none', 'None', 'NONE'])('an unsecured token (alg %s) is refused', async (alg) => {
    const token = `${base64({ alg })}.${base64({ role: 'service_role' })}.`;
    expect(await failure(() => anAuthenticator().authenticate(aTenant(), `Bearer ${token}`))).toEqual(
      refusal(
        'PGRST301',
        'Wrong or unsupported encoding algorithm',
        "JWT is unsecured but expected 'alg' was not 'none'",
      ),
    );
  });

  test('claims that are no object are refused', async () => {
    const { CompactSign } = await import('jose');
    const token = await new CompactSign(Buffer.from('[1]'))
      .setProtectedHeader(HS256)
      .sign(new TextEncoder().encode(TEST_SECRET));
    expect(await failure(() => anAuthenticator().authenticate(aTenant(), `Bearer ${token}`))).toEqual(
      refusal('PGRST303', 'Parsing claims failed'),
    );
  });

  test('a tenant without a secret cannot check tokens', async () => {
    const tenant = aTenant({ jwt: { kind: 'none' } });
    const { authenticate } = anAuthenticator();
    expect(await failure(() => authenticate(tenant, 'Bearer x'))).toMatchObject({
      code: 'PGRST300',
      status: 500,
    });
    expect(authenticate(tenant)).toMatchObject({ role: 'anon' });
  });

  test('jwt-role-claim-key says where the role is', async () => {
    const tenant = aTenant({ postgrest: { 'jwt-role-claim-key': '.app.roles[0]' } });
    const token = await sign({ role: 'ignored', app: { roles: ['authenticated'] } });
    expect(await anAuthenticator().authenticate(tenant, `Bearer ${token}`)).toMatchObject({
      role: 'authenticated',
      claimsJson: '{"role":"authenticated","app":{"roles":["authenticated"]}}',
    });
  });

  test.each(['b_service_role', 'owner', 'ANON', ''])(
    'a shared tenant has no role %j, which could be another tenant’s',
    async (role) => {
      const authorization = `Bearer ${await sign({ role })}`;
      const refused = { code: '22023', status: 401, message: `role "${role}" does not exist` };
      const { authenticate } = anAuthenticator();
      expect(await failure(() => authenticate(aTenant(), authorization))).toMatchObject(refused);
      // Where the database is the tenant's own, PostgreSQL knows which roles there are.
      const remoteConnectionString = new Secret('postgres://somewhere');
      const remote = aTenant({
        placement: { kind: 'remote', remoteConnectionString, readReplicaUrls: [] },
      });
      expect(await authenticate(remote, authorization)).toMatchObject({ physicalRole: `acme_${role}` });
    },
  );

  test('the role none, which would undo the change of role, is no role', async () => {
    const tenant = aTenant({ naming: { schemaPrefix: undefined, rolePrefix: undefined } });
    const token = await sign({ role: 'none' });
    expect(await failure(() => anAuthenticator().authenticate(tenant, `Bearer ${token}`))).toMatchObject({
      code: '22023',
      status: 401,
      message: 'role "none" does not exist',
    });
  });
});

describe('key sets', () => {
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const ed = generateKeyPairSync('ed25519');
  const jwk = (key: KeyObject, extra: object = {}) => ({ ...key.export({ format: 'jwk' }), ...extra });
  const setOf = (...keys: object[]) =>
    ({ kind: 'jwks', jwks: new Secret(JSON.stringify({ keys })) }) as const;

  test.each([
    ['RS256', rsa],
    ['PS384', rsa],
    ['ES256', ec],
    ['EdDSA', ed],
  ])('%s signatures verify', async (alg, { privateKey, publicKey }) => {
    const tenant = aTenant({
      jwt: setOf({ kty: 'unknown' }, jwk(publicKey, { kid: 'k1', key_ops: ['sign'] })),
    });
    const token = await sign({ role: 'authenticated' }, { alg, kid: 'k1' }, privateKey);
    expect(await anAuthenticator().authenticate(tenant, `Bearer ${token}`)).toMatchObject({
      role: 'authenticated',
    });
  });

  test.each(['HS256', 'HS384', 'HS512'])('a symmetric JWK verifies %s', async (alg) => {
    const tenant = aTenant({ jwt: setOf({ kty: 'oct', k: Buffer.from(TEST_SECRET).toString('base64url') }) });
    const token = await sign({ role: 'authenticated' }, { alg });
    expect(await anAuthenticator().authenticate(tenant, `Bearer ${token}`)).toMatchObject({
      role: 'authenticated',
    });
  });

  test('a public key is no HMAC secret', async () => {
    const tenant = aTenant({ jwt: setOf(jwk(rsa.publicKey)) });
    const pem = Buffer.from(rsa.publicKey.export({ type: 'spki', format: 'pem' }));
    const token = await sign({ role: 'service_role' }, HS256, pem);
    expect(await failure(() => anAuthenticator().authenticate(tenant, `Bearer ${token}`))).toEqual(
      noKey('No suitable key was found to decode the JWT'),
    );
  });

  test('a token that names a key is verified with that key only', async () => {
    const tenant = aTenant({ jwt: setOf(jwk(ec.publicKey, { kid: 'k1' })) });
    const token = await sign({ role: 'x' }, { alg: 'ES256', kid: 'k2' }, ec.privateKey);
    expect(await failure(() => anAuthenticator().authenticate(tenant, `Bearer ${token}`))).toEqual(
      noKey('No suitable key was found to decode the JWT'),
    );
  });

  test("a key's own alg and use are kept to", async () => {
    const tenant = aTenant({
      jwt: setOf(jwk(rsa.publicKey, { alg: 'RS512' }), jwk(ec.publicKey, { use: 'enc' })),
    });
    const { authenticate } = anAuthenticator();
    for (const [alg, key] of [
      ['RS256', rsa.privateKey],
      ['ES256', ec.privateKey],
    ] as const) {
      const token = await sign({ role: 'x' }, { alg }, key);
      expect(await failure(() => authenticate(tenant, `Bearer ${token}`))).toMatchObject({
        code: 'PGRST301',
      });
    }
  });

  test('a key that is new at the URL is found, and tokens of a key that is gone fail', async () => {
    const published = { keys: [jwk(ec.publicKey, { kid: 'old' })] };
    const { authenticate, clock } = anAuthenticator({ fetchText: async () => JSON.stringify(published) });
    const tenant = aTenant({ jwt: { kind: 'jwks-url', url: 'https://example.com/jwks.json' } });
    const old = `Bearer ${await sign({ role: 'anon' }, { alg: 'ES256', kid: 'old' }, ec.privateKey)}`;
    const renewed = `Bearer ${await sign({ role: 'authenticated' }, { alg: 'EdDSA', kid: 'new' }, ed.privateKey)}`;
    expect(await authenticate(tenant, old)).toMatchObject({ role: 'anon' });
    published.keys = [jwk(ed.publicKey, { kid: 'new' })];
    clock.now += 31_000;
    expect(await authenticate(tenant, renewed)).toMatchObject({ role: 'authenticated' });
    expect(await failure(() => authenticate(tenant, old))).toMatchObject({ code: 'PGRST301' });
  });
});

describe('keys', () => {
  const publishable = 'sb_publishable_ACJWlzQHlZjBrEguHvfOxg_3BJgxAaH';
  const secret = 'sb_secret_N7UND0UgjKTVK-Uodkm0Hg_xSvEMPvz';
  const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
  const apiKeys = [
    { kind: 'publishable', role: 'anon', sha256: sha256(publishable) },
    { kind: 'secret', role: 'service_role', sha256: sha256(secret) },
  ] as const;
  const open = aTenant({ apiKeys });
  const guarded = aTenant({ apiKeys, requireApiKey: true });

  test('a key stands for its role, in either header', () => {
    const { authenticate } = anAuthenticator();
    const serviceRole = {
      role: 'service_role',
      physicalRole: 'acme_service_role',
      claimsJson: '{"role":"service_role"}',
      isAuthenticated: true,
    };
    expect(authenticate(guarded, undefined, secret)).toEqual(serviceRole);
    expect(authenticate(guarded, `Bearer ${secret}`)).toEqual(serviceRole);
    expect(authenticate(guarded, `Bearer ${publishable}`, publishable)).toMatchObject({ role: 'anon' });
  });

  test('a wrong key is refused, also beside a good token', async () => {
    const { authenticate } = anAuthenticator();
    const token = `Bearer ${await sign({ role: 'authenticated', sub: 'u' })}`;
    const wrong = 'sb_secret_of-somebody-else';
    for (const attempt of [
      () => authenticate(open, undefined, wrong),
      () => authenticate(open, `Bearer ${wrong}`),
      () => authenticate(open, token, wrong),
      () => authenticate(guarded, token, 'no key at all'),
    ]) {
      expect(await failure(attempt)).toMatchObject({ code: 'GW105', status: 401 });
    }
  });

  test('nothing is asked of a tenant that is open', () => {
    expect(anAuthenticator().authenticate(open)).toEqual({
      role: 'anon',
      physicalRole: 'acme_anon',
      claimsJson: '{"role":"anon"}',
      isAuthenticated: false,
    });
  });

  test('without an anonymous role somebody has to be named', async () => {
    const closed = aTenant({ postgrest: { 'db-anon-role': null } });
    expect(await failure(() => anAuthenticator().authenticate(closed))).toMatchObject({
      code: 'PGRST302',
      status: 401,
      message: 'Anonymous access is disabled',
      headers: { 'WWW-Authenticate': 'Bearer' },
    });
  });

  test('a tenant that asks for a key gets one with every request', async () => {
    const { authenticate } = anAuthenticator();
    const user = `Bearer ${await sign({ role: 'authenticated', sub: 'u' })}`;
    const missing = {
      code: 'GW104',
      status: 401,
      message: 'No API key found in request',
      hint: 'No `apikey` request header or url param was found.',
    };
    expect(await failure(() => authenticate(guarded))).toMatchObject(missing);
    expect(await failure(() => authenticate(guarded, user))).toMatchObject(missing);
    expect(await authenticate(guarded, user, publishable)).toMatchObject({ role: 'authenticated' });
  });

  test('a token that names a key role and no user is a key', async () => {
    const { authenticate } = anAuthenticator();
    const anon = await sign({ role: 'anon', iss: 'supabase' });
    const user = await sign({ role: 'authenticated', sub: 'u' });
    expect(await authenticate(guarded, `Bearer ${anon}`)).toMatchObject({ role: 'anon' });
    expect(await authenticate(guarded, undefined, anon)).toMatchObject({ role: 'anon' });
    expect(await authenticate(guarded, `Bearer ${user}`, anon)).toMatchObject({ role: 'authenticated' });
    expect(await failure(() => authenticate(guarded, `Bearer ${user}`, user))).toMatchObject({
      code: 'GW105',
    });
  });
});

function base64(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
