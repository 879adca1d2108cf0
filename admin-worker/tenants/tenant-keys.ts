import { createHash, randomBytes } from 'node:crypto';
import { SignJWT } from 'jose';
import type { ClientBase, Pool } from 'pg';
import { z } from 'zod';
import { seal, unseal, unsealText } from '../../gateway/registry/sealing.ts';
import type { Secret } from '../../gateway/registry/secrets.ts';
import { tenantSealContext } from '../../gateway/registry/tenant-row.ts';
import type { TenantRecord } from './tenant-record.ts';

/** What a client configures. `anon` and `service_role` are `null` where the tenant's tokens are signed elsewhere. */
export interface TenantKeys {
  readonly anon: string | null;
  readonly service_role: string | null;
  readonly publishable: string;
  readonly secret: string;
}

export const API_KEY_KINDS = ['publishable', 'secret'] as const;
export type ApiKeyKind = (typeof API_KEY_KINDS)[number];

const ROLE_OF_KIND: Readonly<Record<ApiKeyKind, string>> = { publishable: 'anon', secret: 'service_role' };
const CHECKSUM_LENGTH = 8;
const RANDOM_BYTES = 16; // 22 characters
const KEY_LIFETIME_YEARS = 10;

/** `sb_publishable_` or `sb_secret_`, 22 random characters, `_`, 8 characters of a checksum over what stands before. */
export function createApiKey(kind: ApiKeyKind): string {
  const body = `sb_${kind}_${randomBytes(RANDOM_BYTES).toString('base64url')}`;
  return `${body}_${checksumOf(body)}`;
}

/** Whether a key was typed or copied wrongly; says nothing about whether it is anybody's. */
export function hasValidChecksum(key: string): boolean {
  const body = key.slice(0, -CHECKSUM_LENGTH - 1);
  return key.at(-CHECKSUM_LENGTH - 1) === '_' && key.slice(-CHECKSUM_LENGTH) === checksumOf(body);
}

function checksumOf(body: string): string {
  return createHash('sha256').update(body).digest('base64url').slice(0, CHECKSUM_LENGTH);
}

type Queryable = Pick<ClientBase | Pool, 'query'>;

/** Puts new keys of the given kinds in place of the tenant's old ones, which are worth nothing from then on. */
export async function replaceApiKeys(
  db: Queryable,
  { tenantId, kinds, masterKey }: { tenantId: string; kinds: readonly ApiKeyKind[]; masterKey: Secret },
): Promise<void> {
  const rows = kinds.map((kind) => {
    const key = createApiKey(kind);
    return {
      kind,
      role: ROLE_OF_KIND[kind],
      sha256: createHash('sha256').update(key).digest('hex'),
      sealed: seal(key, { masterKey, context: apiKeySealContext(tenantId, kind) }),
    };
  });
  await db.query('DELETE FROM control.api_keys WHERE tenant_id = $1 AND kind = ANY ($2::text[])', [
    tenantId,
    [...kinds],
  ]);
  await db.query(
    `INSERT INTO control.api_keys (tenant_id, kind, role, sha256, sealed)
     SELECT $1, r.kind, r.role, r.sha256, r.sealed
     FROM json_to_recordset($2) AS r(kind text, role text, sha256 text, sealed text)`,
    [tenantId, JSON.stringify(rows)],
  );
}

/** The keys of a tenant in full. */
export async function readTenantKeys(
  db: Queryable,
  record: TenantRecord,
  masterKey: Secret,
): Promise<TenantKeys> {
  const { rows } = await db.query<{ kind: ApiKeyKind; sealed: string }>(
    'SELECT kind, sealed FROM control.api_keys WHERE tenant_id = $1 ORDER BY created_at',
    [record.id],
  );
  const opaque = new Map(
    rows.map(({ kind, sealed }) => [
      kind,
      unsealText(sealed, { masterKey, context: apiKeySealContext(record.id, kind) }),
    ]),
  );
  const signer = signingKeyOf(record, masterKey);
  return {
    anon: signer === undefined ? null : await signKey(record, 'anon', signer),
    service_role: signer === undefined ? null : await signKey(record, 'service_role', signer),
    publishable: opaque.get('publishable') ?? '',
    secret: opaque.get('secret') ?? '',
  };
}

/** What a sealed API key is bound to. */
export function apiKeySealContext(tenantId: string, kind: ApiKeyKind): string {
  return `api_keys/${tenantId}/${kind}`;
}

interface SigningKey {
  readonly secret: Uint8Array;
  readonly alg: string;
  readonly kid: string | undefined;
}

const SymmetricJwk = z.object({
  kty: z.literal('oct'),
  k: z.string().min(1),
  alg: z.enum(['HS256', 'HS384', 'HS512']).default('HS256'),
  kid: z.string().optional(),
  use: z.literal('sig').optional(),
});
const JwkSet = z.object({ keys: z.array(z.unknown()) });

/** The key we can sign with: the tenant's secret, or the first symmetric key of its key set. */
function signingKeyOf(record: TenantRecord, masterKey: Secret): SigningKey | undefined {
  if (record.sealed_jwt === null) return undefined;
  const opened = unseal(record.sealed_jwt, { masterKey, context: tenantSealContext(record.id, 'jwt') });
  if (record.jwt_kind === 'secret') return { secret: opened, alg: 'HS256', kid: undefined };
  const { keys } = JwkSet.parse(JSON.parse(Buffer.from(opened).toString('utf8')));
  for (const key of keys) {
    const { success, data } = SymmetricJwk.safeParse(key);
    if (success) return { secret: Buffer.from(data.k, 'base64url'), alg: data.alg, kid: data.kid };
  }
  return undefined;
}

/** Tokens follow from the tenant's row alone, so that asking twice gives the same ones. */
async function signKey(
  record: TenantRecord,
  role: string,
  { secret, alg, kid }: SigningKey,
): Promise<string> {
  const issuedAt = Math.floor(record.keys_issued_at.getTime() / 1000);
  const expiry = new Date(record.keys_issued_at);
  expiry.setUTCFullYear(expiry.getUTCFullYear() + KEY_LIFETIME_YEARS);
  const claims = { iss: 'supabase', ref: record.id, ...roleClaim(record, role) };
  return new SignJWT(claims)
    .setProtectedHeader({ alg, typ: 'JWT', ...(kid === undefined ? {} : { kid }) })
    .setIssuedAt(issuedAt)
    .setExpirationTime(Math.floor(expiry.getTime() / 1000))
    .sign(secret);
}

/** `role`, and the same where `jwt-role-claim-key` looks for it if that is a plain path like `$.app_metadata.role`. */
function roleClaim(record: TenantRecord, role: string): Record<string, unknown> {
  const path = String(record.postgrest['jwt-role-claim-key'] ?? '.role');
  const names = /^\$?(?:\.[A-Za-z_]\w*)+$/.test(path) ? path.replace(/^\$?\./, '').split('.') : ['role'];
  const nested = names.reduceRight<unknown>((value, name) => ({ [name]: value }), role);
  return { role, ...(nested as Record<string, unknown>) };
}
