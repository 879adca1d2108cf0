import { LRUCache } from 'lru-cache';
import { GatewayError } from '../errors/gateway-error.ts';
import { parseRoleClaim, type RoleClaim } from '../registry/role-claim/role-claim.ts';
import type { JwtKeySource, Tenant } from '../registry/tenant.ts';
import { type FetchText, RemoteKeySet } from './remote-key-set.ts';
import { type KeySet, keySetFromJwks, keySetFromSecret } from './verification-key.ts';

/** What follows from one revision of a tenant, worked out once. */
export interface TenantKeys {
  readonly revision: string;
  readonly roleClaim: RoleClaim;
  /** @throws {GatewayError} `PGRST300` when the tenant has no keys, `GW109` when they cannot be fetched */
  keySet(): KeySet | Promise<KeySet>;
  /** A newer set, where there may be one. */
  refresh(): Promise<KeySet | undefined>;
}

/** Keys of the tenants in use. Sets from URLs outlive changes of the tenant that do not change the URL. */
export class TenantKeyCache {
  readonly #tenants: LRUCache<string, TenantKeys>;
  readonly #remotes: LRUCache<string, RemoteKeySet>;
  readonly #options: { readonly fetchText: FetchText; readonly now: () => number };

  constructor(options: {
    readonly maxTenants: number;
    readonly fetchText: FetchText;
    readonly now: () => number;
  }) {
    this.#tenants = new LRUCache({ max: options.maxTenants });
    this.#remotes = new LRUCache({ max: options.maxTenants });
    this.#options = options;
  }

  /** @throws {GatewayError} `GW901` when the tenant's settings do not hold what the registry should have checked */
  get(tenant: Tenant): TenantKeys {
    const cached = this.#tenants.get(tenant.id);
    if (cached !== undefined && cached.revision === tenant.revision) return cached;
    const keys = this.#derive(tenant);
    this.#tenants.set(tenant.id, keys);
    return keys;
  }

  #derive(tenant: Tenant): TenantKeys {
    try {
      const roleClaim = parseRoleClaim(tenant.settings.jwtRoleClaimKey);
      return { revision: tenant.revision, roleClaim, ...this.#source(tenant.id, tenant.jwt) };
    } catch (cause) {
      throw new GatewayError('GW901', { cause });
    }
  }

  #source(tenantId: string, jwt: JwtKeySource): Pick<TenantKeys, 'keySet' | 'refresh'> {
    switch (jwt.kind) {
      case 'none':
        return {
          keySet() {
            throw new GatewayError('PGRST300');
          },
          refresh: async () => undefined,
        };
      case 'secret':
        return fixed(keySetFromSecret(jwt.secret.reveal()));
      case 'jwks':
        return fixed(keySetFromJwks(jwt.jwks.reveal()));
      case 'jwks-url': {
        // One for each tenant, so that one tenant's unknown keys cannot use up another's cooldown.
        const key = `${tenantId} ${jwt.url}`;
        const remote = this.#remotes.get(key) ?? new RemoteKeySet(jwt.url, this.#options);
        this.#remotes.set(key, remote);
        return { keySet: () => remote.get(), refresh: () => remote.refresh() };
      }
      default:
        return jwt satisfies never;
    }
  }
}

function fixed(keySet: KeySet): Pick<TenantKeys, 'keySet' | 'refresh'> {
  return { keySet: () => keySet, refresh: async () => undefined };
}
