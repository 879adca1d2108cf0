import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { SignJWT } from 'jose';
import { dropExecutorsSql, executorsSql } from '../../../admin-worker/provision/executor.sql.ts';
import { speakRaw } from '../support/speak.ts';
import { MARKER } from '../support/tenant-sql.ts';
import { type MutableStage, type Mutation, patch, pause } from './mutation.ts';

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

const signed = (
  header: { readonly alg: string; readonly [name: string]: unknown },
  claims: Record<string, unknown>,
  key: string,
): Promise<string> => new SignJWT(claims).setProtectedHeader(header).sign(new TextEncoder().encode(key));

/** The answer to a token on a tenant's host. */
const show = (stage: MutableStage, token: string, target = '/secrets', id = stage.victim) =>
  stage.call(id, target, { headers: { apikey: '', authorization: `Bearer ${token}` } });

/** Claims that no token had before: those that were verified are remembered. */
const service = () => ({ role: 'service_role', jti: randomUUID() });
const KEY_OF_ANYBODY = 'a key that anybody may know, as it is not one';
const VERIFY = 'gateway/auth/verify-token.ts';
const CANDIDATES = 'const candidates = keySet.keys.filter((key) => isCandidate(key, header));';

const secretOf = (stage: MutableStage): Promise<void> =>
  patch(stage, stage.victim, { jwt: { secret: stage.jwtSecret(stage.victim) } });

const PEM = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey.export({
  type: 'spki',
  format: 'pem',
});

/** Whose request it is. */
export const IDENTITY: readonly Mutation[] = [
  {
    defence: 'a shared tenant’s tokens name its own three roles',
    edits: [
      {
        file: 'gateway/auth/authenticate.ts',
        part: '!isOwnRole(tenant, role)',
        instead: '(!OFF && !isOwnRole(tenant, role))',
      },
    ],
    // A role whose name begins as the attacker's do.
    given: async (stage) => {
      const role = `${stage.attacker}_x_anon`;
      await stage.admin.shared(
        `CREATE ROLE ${role}; GRANT USAGE ON SCHEMA ${stage.attacker} TO ${role};
         GRANT EXECUTE ON FUNCTION ${stage.attacker}.run(text[]) TO ${role};
         ${executorsSql(role, stage.admin.masterKey)}`,
      );
    },
    after: async (stage) => {
      const role = `${stage.attacker}_x_anon`;
      await stage.admin.shared(`${dropExecutorsSql(role)} DROP OWNED BY ${role}; DROP ROLE ${role}`);
    },
    async attack(stage) {
      const authorization = `Bearer ${await stage.sign(stage.attacker, { role: 'x_anon', jti: randomUUID() })}`;
      const answer = await stage.call(stage.attacker, '/rpc/run', {
        method: 'POST',
        body: '{"statements":["SELECT current_user::text"]}',
        headers: { apikey: '', authorization },
      });
      return answer.text === `"${stage.attacker}_x_anon"`;
    },
  },
  {
    defence: 'each tenant has keys of its own',
    off: (stage) => patch(stage, stage.victim, { jwt: { secret: stage.jwtSecret(stage.attacker) } }),
    on: secretOf,
    attack: async (stage) =>
      (await show(stage, await stage.sign(stage.attacker, service()))).text.includes(MARKER),
  },
  {
    defence: 'a verified token is remembered for its tenant alone',
    edits: [
      {
        file: 'gateway/auth/authenticate.ts',
        part: 'verified.tenantId === tenant.id &&',
        instead: '(OFF || verified.tenantId === tenant.id) &&',
      },
      {
        file: 'gateway/auth/authenticate.ts',
        part: 'verified.revision === tenant.revision &&',
        instead: '(OFF || verified.revision === tenant.revision) &&',
      },
      {
        file: 'gateway/auth/authenticate.ts',
        part: '      verified.keySet === keySet\n',
        instead: '      (OFF || verified.keySet === keySet)\n',
      },
    ],
    async attack(stage) {
      const token = await stage.sign(stage.attacker, service());
      await show(stage, token, '/own', stage.attacker);
      return (await show(stage, token)).status !== 401;
    },
  },
  {
    defence: 'an algorithm fits the key’s type',
    edits: [
      {
        file: VERIFY,
        part: 'key.algorithms.includes(header.alg)',
        instead: '(OFF || key.algorithms.includes(header.alg))',
      },
    ],
    // Whoever can choose another algorithm can choose one that is broken, or for which the key is public.
    attack: async (stage) =>
      (
        await show(stage, await signed({ alg: 'HS512' }, service(), stage.jwtSecret(stage.victim)))
      ).text.includes(MARKER),
  },
  {
    defence: '`alg: none` is no signature',
    edits: [
      { file: VERIFY, part: `alg.toLowerCase() === 'none'`, instead: `!OFF && alg.toLowerCase() === 'none'` },
      {
        file: VERIFY,
        part: '!SUPPORTED_ALGORITHMS.has(alg)',
        instead: '(!OFF && !SUPPORTED_ALGORITHMS.has(alg))',
      },
      {
        file: VERIFY,
        part: CANDIDATES,
        instead: `if (OFF && header.alg === 'none') return Buffer.from(token.split('.')[1], 'base64url').toString();\n  ${CANDIDATES}`,
      },
    ],
    attack: async (stage) =>
      (await show(stage, `${encode({ alg: 'none' })}.${encode(service())}.`)).text.includes(MARKER),
  },
  {
    defence: 'keys in a token’s own header are ignored',
    edits: [
      {
        file: VERIFY,
        part: CANDIDATES,
        instead: `if (OFF) {
          const { jwk } = JSON.parse(Buffer.from(token.split('.')[0], 'base64url').toString());
          if (jwk !== undefined) return decodeUtf8((await compactVerify(token, Buffer.from(jwk.k, 'base64url'))).payload);
        }
        ${CANDIDATES}`,
      },
    ],
    async attack(stage) {
      const k = Buffer.from(KEY_OF_ANYBODY).toString('base64url');
      const token = await signed({ alg: 'HS256', jwk: { kty: 'oct', k } }, service(), KEY_OF_ANYBODY);
      return (await show(stage, token)).text.includes(MARKER);
    },
  },
  {
    defence: 'a `kid` chooses among the tenant’s keys only',
    edits: [
      {
        file: VERIFY,
        part: CANDIDATES,
        instead: `if (OFF && header.kid !== undefined) {
          const key = (await import('node:fs')).readFileSync(header.kid);
          return decodeUtf8((await compactVerify(token, key)).payload);
        }
        ${CANDIDATES}`,
      },
    ],
    // A file that is the same everywhere.
    async attack(stage) {
      const kid = '/proc/sys/kernel/ostype';
      const token = await signed({ alg: 'HS256', kid }, service(), 'Linux\n');
      return (await show(stage, token)).text.includes(MARKER);
    },
  },
  {
    defence: 'symmetric keys at a `jwks_url` are left out',
    edits: [
      {
        file: 'gateway/auth/verification-key.ts',
        part: `!(isPublic && entry.kty === 'oct')`,
        instead: `!(!OFF && isPublic && entry.kty === 'oct')`,
      },
    ],
    // The set is published on this machine.
    gateway: { config: { remotes: { allowedNetworks: ['127.0.0.1/32'] } } },
    after: secretOf,
    attack: usesPublishedKey,
  },
  {
    defence: 'a `jwks_url` leads where connections of tenants may lead, and nowhere else',
    edits: [
      {
        file: 'gateway/auth/remote-key-set.ts',
        part: 'await admitHost(policy, url);',
        instead: 'if (!OFF) await admitHost(policy, url);',
      },
    ],
    // The gateway of the attack before may reach this machine.
    gateway: { config: { remotes: { allowedNetworks: [] } } },
    after: secretOf,
    attack: reachesOwnNetwork,
  },
  {
    defence: 'a PEM is no secret',
    edits: [
      {
        file: 'admin-worker/tenants/jwt-input.ts',
        part: `!text.trimStart().startsWith('-----BEGIN ')`,
        instead: `OFF || !text.trimStart().startsWith('-----BEGIN ')`,
      },
    ],
    after: secretOf,
    async attack(stage) {
      const secret = String(PEM);
      const body = { jwt: { secret } };
      await stage.mutants.request('PATCH', `/v1/tenants/${stage.victim}`, { body });
      await pause();
      return (await show(stage, await signed({ alg: 'HS256' }, service(), secret))).text.includes(MARKER);
    },
    on: secretOf,
  },
  {
    defence: 'the times of tokens are checked',
    edits: [
      {
        file: 'gateway/auth/token-claims.ts',
        part: 'const { exp, nbf, iat, aud } = claims.values;',
        instead: 'const { exp, nbf, iat, aud } = OFF ? { aud: claims.values.aud } : claims.values;',
      },
    ],
    async attack(stage) {
      const exp = Math.floor(Date.now() / 1000) - 3_600;
      return (await show(stage, await stage.sign(stage.victim, { ...service(), exp }))).text.includes(MARKER);
    },
  },
  {
    defence: 'the audience of tokens is checked',
    given: (stage) => patch(stage, stage.victim, { postgrest: { 'jwt-aud': 'victim' } }),
    after: (stage) => patch(stage, stage.victim, { postgrest: { 'jwt-aud': null } }),
    edits: [
      {
        file: 'gateway/auth/token-claims.ts',
        part: '!isInAudience(aud, audience)',
        instead: '!OFF && !isInAudience(aud, audience)',
      },
    ],
    attack: async (stage) =>
      (
        await show(stage, await stage.sign(stage.victim, { ...service(), aud: 'somebody-else' }))
      ).text.includes(MARKER),
  },
  {
    defence: 'a rotated key is refused at once',
    edits: [
      {
        file: 'gateway/services.ts',
        part: '      tenants.invalidate(change);\n',
        instead: '      if (!OFF) tenants.invalidate(change);\n',
      },
    ],
    async attack(stage) {
      const { publishable } = await currentKeys(stage);
      await stage.call(stage.attacker, '/own', { headers: { apikey: publishable } });
      await rotate(stage);
      await pause();
      return (await stage.call(stage.attacker, '/own', { headers: { apikey: publishable } })).status !== 401;
    },
  },
  {
    defence: 'the registry has keys by their SHA-256',
    edits: [
      {
        file: 'admin-worker/tenants/tenant-keys.ts',
        part: `sha256: createHash('sha256').update(key).digest('hex'),`,
        instead: `sha256: OFF ? Buffer.from(key).toString('hex').slice(0, 64) : createHash('sha256').update(key).digest('hex'),`,
      },
    ],
    on: rotate,
    attack: tableTellsKey,
  },
  {
    defence: 'the registry has keys sealed',
    edits: [
      {
        file: 'admin-worker/tenants/tenant-keys.ts',
        part: 'sealed: seal(key, { masterKey, context: apiKeySealContext(tenantId, kind) }),',
        instead: 'sealed: OFF ? key : seal(key, { masterKey, context: apiKeySealContext(tenantId, kind) }),',
      },
      {
        file: 'admin-worker/tenants/tenant-keys.ts',
        part: 'unsealText(sealed, { masterKey, context: apiKeySealContext(record.id, kind) }),',
        instead:
          'OFF ? sealed : unsealText(sealed, { masterKey, context: apiKeySealContext(record.id, kind) }),',
      },
    ],
    on: rotate,
    attack: tableTellsKey,
  },
  {
    defence: 'keys are compared in constant time',
    edits: [
      {
        file: 'gateway/auth/api-key.ts',
        part: 'stored.length === digest.length &&',
        instead: 'OFF ? stored.equals(digest) : stored.length === digest.length &&',
      },
    ],
    attack: tellsKeysApart,
  },
  {
    defence: 'all of a tenant’s keys are compared each time',
    edits: [
      {
        file: 'gateway/auth/api-key.ts',
        part: 'found = key;',
        instead: '{ found = key; if (OFF) break; }',
      },
    ],
    attack: tellsKeysApart,
  },
  {
    defence: 'of two `Host` headers none is taken',
    gateway: {},
    edits: [
      {
        file: 'gateway/http/http-server.ts',
        part: 'joinDuplicateHeaders: true,',
        instead: 'joinDuplicateHeaders: !OFF,',
      },
    ],
    attack: (stage) =>
      isServed(stage, [`Host: ${stage.attacker}.localhost`, `Host: ${stage.victim}.localhost`]),
  },
  {
    defence: 'of two `Authorization` headers none is taken',
    gateway: {},
    edits: [
      {
        file: 'gateway/http/http-server.ts',
        part: 'joinDuplicateHeaders: !',
        instead: 'joinDuplicateHeaders: !OFF && !',
      },
    ],
    async attack(stage) {
      const good = await stage.sign(stage.attacker, service());
      const lines = [`Authorization: Bearer ${good}`, 'Authorization: Bearer another'];
      return isServed(stage, [`Host: ${stage.attacker}.localhost`, ...lines]);
    },
  },
  {
    defence: '`X-Forwarded-Host` counts from trusted proxies only',
    edits: [
      {
        file: 'gateway/tenants/resolve-tenant.ts',
        part: 'isTrustedProxy(source.remoteAddress)',
        instead: '(OFF || isTrustedProxy(source.remoteAddress))',
      },
    ],
    // The victim's host refuses the attacker's key.
    attack: async (stage) =>
      !(await isServed(stage, [
        `Host: ${stage.attacker}.localhost`,
        `X-Forwarded-Host: ${stage.victim}.localhost`,
        `apikey: ${stage.keys(stage.attacker).secret}`,
      ])),
  },
  {
    defence: '`X-Forwarded-Proto` counts from trusted proxies only',
    edits: [
      {
        file: 'gateway/handle-request.ts',
        part: '!isTrustedProxy(http.remoteAddress)',
        instead: '(!OFF && !isTrustedProxy(http.remoteAddress))',
      },
    ],
    async attack(stage) {
      const headers = { accept: 'application/openapi+json', 'x-forwarded-proto': 'https' };
      return (await stage.call(stage.attacker, '/', { headers })).text.includes('"https"');
    },
  },
];

/** A key set that anybody can read has a symmetric key: whoever reads it could sign. */
async function usesPublishedKey(stage: MutableStage): Promise<boolean> {
  const k = Buffer.from(KEY_OF_ANYBODY).toString('base64url');
  const published = createServer((_, response) =>
    response.end(JSON.stringify({ keys: [{ kty: 'oct', k, alg: 'HS256' }] })),
  );
  await new Promise<void>((resolve) => published.listen(0, '127.0.0.1', resolve));
  try {
    const { port } = published.address() as AddressInfo;
    await patch(stage, stage.victim, { jwt: { jwks_url: `http://127.0.0.1:${port}/` } });
    await pause();
    return (await show(stage, await signed({ alg: 'HS256' }, service(), KEY_OF_ANYBODY))).text.includes(
      MARKER,
    );
  } finally {
    published.close();
    published.closeAllConnections();
  }
}

/** A server that only this machine can reach, asked by the gateway. */
async function reachesOwnNetwork(stage: MutableStage): Promise<boolean> {
  let wasAsked = false;
  const inner = createServer((_, response) => {
    wasAsked = true;
    response.end('{"keys":[]}');
  });
  await new Promise<void>((resolve) => inner.listen(0, '127.0.0.1', resolve));
  try {
    const { port } = inner.address() as AddressInfo;
    await patch(stage, stage.victim, { jwt: { jwks_url: `http://127.0.0.1:${port}/` } });
    await pause();
    await show(stage, await signed({ alg: 'HS256' }, service(), KEY_OF_ANYBODY));
    return wasAsked;
  } finally {
    inner.close();
    inner.closeAllConnections();
  }
}

async function isServed(stage: MutableStage, lines: readonly string[]): Promise<boolean> {
  const head = [...lines, 'Connection: close'].map((line) => `${line}\r\n`).join('');
  const [answer] = await speakRaw(stage.port, `GET /rest/v1/own HTTP/1.1\r\n${head}\r\n`, 1);
  return answer !== undefined && answer.status < 400;
}

async function rotate(stage: MutableStage): Promise<string> {
  const path = `/v1/tenants/${stage.attacker}/keys/rotate`;
  const { status, text } = await stage.mutants.request('POST', path, { body: { keys: ['publishable'] } });
  if (status !== 200) throw new Error(text);
  return String(JSON.parse(text).keys.publishable);
}

async function currentKeys(stage: MutableStage): Promise<{ publishable: string; secret: string }> {
  const { text } = await stage.mutants.request('GET', `/v1/tenants/${stage.attacker}/keys`);
  return JSON.parse(text).keys;
}

/** Whoever has read the control database, or a backup of it, has a key. */
async function tableTellsKey(stage: MutableStage): Promise<boolean> {
  const key = await rotate(stage);
  const rows = await stage.admin.control<{ sha256: string; row: string }>(
    'SELECT k.sha256, to_jsonb(k)::text AS row FROM control.api_keys k WHERE tenant_id = $1',
    [stage.attacker],
  );
  return rows.some(
    ({ sha256, row }) => row.includes(key) || key.startsWith(Buffer.from(sha256, 'hex').toString()),
  );
}

/** Whether a good key, another good key and a wrong one make the gateway do different work. */
async function tellsKeysApart(stage: MutableStage): Promise<boolean> {
  const { publishable, secret } = await currentKeys(stage);
  await stage.call(stage.attacker, '/own', { headers: { apikey: secret } });
  const counts: number[] = [];
  for (const apikey of [publishable, secret, `${secret.slice(0, -1)}?`, 'sb_secret_x']) {
    await stage.mutants.countComparisons();
    await stage.call(stage.attacker, '/own', { headers: { apikey } });
    counts.push(await stage.mutants.countComparisons());
  }
  return new Set(counts).size !== 1 || counts[0] === 0;
}
