import { parsePostgrestSettings } from '../../registry/postgrest-settings.ts';
import { Secret } from '../../registry/secrets.ts';
import type { Tenant, TenantId } from '../../registry/tenant.ts';

export const TEST_SECRET = 'a-secret-of-at-least-32-characters!!';

export interface TenantSpec extends Partial<Omit<Tenant, 'id' | 'settings'>> {
  readonly id?: string;
  /** By PostgREST's own names. */
  readonly postgrest?: Readonly<Record<string, string | number | boolean | null>>;
}

/** A shared tenant `acme` with an HS256 secret and `anon` as its anonymous role; every object is a revision of its own. */
export function aTenant({ id = 'acme', postgrest = {}, ...fields }: TenantSpec = {}): Tenant {
  return {
    id: id as TenantId,
    status: 'active',
    hosts: [`${id}.localhost`],
    placement: { kind: 'shared' },
    isolation: 'trusted',
    epoch: 1,
    naming: { schemaPrefix: id, rolePrefix: id },
    jwt: { kind: 'secret', secret: new Secret(new TextEncoder().encode(TEST_SECRET)) },
    requireApiKey: false,
    apiKeys: [],
    limits: { maxInFlight: undefined, statementTimeoutMs: undefined, maxBodyBytes: undefined },
    settings: parsePostgrestSettings({ 'db-anon-role': 'anon', ...postgrest }),
    revision: crypto.randomUUID(),
    ...fields,
  };
}
