import { LRUCache } from 'lru-cache';
import { GatewayError } from '../errors/gateway-error.ts';
import { createNetworkPolicy } from '../platform/network-policy.ts';
import type { Observation, Observe } from '../platform/observation.ts';
import { isOwnRole, physicalRole, type Tenant } from '../registry/tenant.ts';
import { findApiKey, isOpaqueKey } from './api-key.ts';
import type { AuthResult } from './auth-result.ts';
import { claimsJson, roleOnlyClaims } from './claims-json.ts';
import { type Credentials, chooseCredential } from './credentials.ts';
import { tokenRequired } from './jwt-error.ts';
import { createFetchText, type FetchText } from './remote-key-set.ts';
import { TenantKeyCache, type TenantKeys } from './tenant-keys.ts';
import { checkClaims, parseClaims, type TokenClaims, timesOf } from './token-claims.ts';
import type { KeySet } from './verification-key.ts';
import { hasCandidate, verifyToken } from './verify-token.ts';

export interface AuthenticatorOptions {
  readonly observe: Observe;
  readonly maxVerifiedTokens: number;
  readonly maxTenants: number;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
  /** Default: from public addresses. */
  readonly fetchText?: FetchText;
}

/** A token whose signature was good for one revision of one tenant and one set of keys. Its times are checked on each use. */
interface VerifiedToken {
  readonly tenantId: string;
  readonly revision: string;
  readonly keySet: KeySet;
  readonly claims: TokenClaims;
  /** Filled in on the first use that passes. */
  accepted: Accepted | undefined;
}

/** Who a token names, and when it may be used, in seconds since the epoch: as long as it is kept nothing else about it changes. */
interface Accepted {
  readonly identity: Identity;
  readonly fromSeconds: number;
  readonly untilSeconds: number;
}

interface Identity {
  readonly result: AuthResult;
  /** An API key: an opaque one, or the `anon` and `service_role` tokens of old, which name a role and no user. */
  readonly isKey: boolean;
}

/** One for all requests. */
const HIT: Observation = { kind: 'jwt-cache', outcome: 'hit' };

// Tokens are 200–1,500 characters; larger ones take the place of several.
const USUAL_TOKEN_LENGTH = 2_048;

/** Finds out who a request is. Owns the cache of verified tokens. */
export class Authenticator {
  readonly #observe: Observe;
  readonly #now: () => number;
  readonly #keys: TenantKeyCache;
  /** By the text that holds the token. */
  readonly #verified: LRUCache<string, VerifiedToken>;
  readonly #anonymous = new WeakMap<Tenant, AuthResult>();

  constructor(options: AuthenticatorOptions) {
    this.#observe = options.observe;
    this.#now = options.now ?? Date.now;
    this.#keys = new TenantKeyCache({
      maxTenants: options.maxTenants,
      fetchText:
        options.fetchText ?? createFetchText(createNetworkPolicy({ allowedNetworks: [], ownHosts: [] })),
      now: this.#now,
    });
    this.#verified = new LRUCache({
      max: options.maxVerifiedTokens,
      maxSize: options.maxVerifiedTokens * USUAL_TOKEN_LENGTH,
      sizeCalculation: (_token, key) => key.length + 1,
      dispose: (_token, _key, reason) => {
        if (reason === 'evict') this.#observe({ kind: 'jwt-cache', outcome: 'eviction' });
      },
    });
  }

  /**
   * Role and claims of a request (CLIENTS.md §1.1, POSTGREST.md A1–A7). Answers without a promise when the token was verified
   * before.
   *
   * @throws {GatewayError} `PGRST300`–`PGRST303`, `GW104` (no key where one is asked for), `GW105` (wrong key), `GW109`; thrown
   *   or as a rejection
   */
  authenticate(credentials: Credentials, tenant: Tenant): AuthResult | Promise<AuthResult> {
    const { decisive, holder = '', apikey } = chooseCredential(credentials);
    if (decisive === undefined) {
      if (tenant.requireApiKey) throw noApiKey();
      return this.#asAnonymous(tenant);
    }
    const identity = this.#identify(decisive, holder, tenant);
    if (apikey !== undefined && apikey !== decisive && (tenant.requireApiKey || isOpaqueKey(apikey))) {
      return this.#besideKey(identity, apikey, tenant);
    }
    if (identity instanceof Promise) return identity.then((known) => admit(known, tenant, apikey));
    return admit(identity, tenant, apikey);
  }

  #asAnonymous(tenant: Tenant): AuthResult {
    let result = this.#anonymous.get(tenant);
    if (result === undefined) {
      result = anonymous(tenant);
      this.#anonymous.set(tenant, result);
    }
    return result;
  }

  /** A user's token decides, and the key sent beside it has to be good as well. */
  async #besideKey(
    identity: Identity | Promise<Identity>,
    apikey: string,
    tenant: Tenant,
  ): Promise<AuthResult> {
    const { result } = await identity;
    const isGood = await this.#isGoodKey(apikey, tenant);
    if (!isGood) throw new GatewayError('GW105');
    return result;
  }

  async #isGoodKey(apikey: string, tenant: Tenant): Promise<boolean> {
    try {
      return (await this.#identify(apikey, apikey, tenant)).isKey;
    } catch (error) {
      // Why a key is no good is told only for what decides the role.
      if (error instanceof GatewayError && error.status !== 503) return false;
      throw error;
    }
  }

  /** @param holder a text that holds this one and nothing else that differs */
  #identify(text: string, holder: string, tenant: Tenant): Identity | Promise<Identity> {
    if (isOpaqueKey(text)) return identifyKey(text, tenant);
    const keys = this.#keys.get(tenant);
    const keySet = keys.keySet();
    // A key that looks like a whole header is no token, whoever has sent that header.
    const verified = holder === text && text.includes(' ') ? undefined : this.#verified.get(holder);
    if (
      verified !== undefined &&
      verified.tenantId === tenant.id &&
      verified.revision === tenant.revision &&
      verified.keySet === keySet
    ) {
      this.#observe(HIT);
      return this.#accept(verified, tenant, keys);
    }
    this.#observe({ kind: 'jwt-cache', outcome: 'miss' });
    return this.#verify({ token: text, holder }, tenant, keys, keySet);
  }

  async #verify(
    { token, holder }: { readonly token: string; readonly holder: string },
    tenant: Tenant,
    keys: TenantKeys,
    current: KeySet | Promise<KeySet>,
  ): Promise<Identity> {
    let keySet = await current;
    // A key that is missing may have been added since: signers rotate before verifiers hear of it.
    if (!hasCandidate(token, keySet)) keySet = (await keys.refresh()) ?? keySet;
    const claims = parseClaims(await verifyToken(token, keySet));
    const verified: VerifiedToken = {
      tenantId: tenant.id,
      revision: tenant.revision,
      keySet,
      claims,
      accepted: undefined,
    };
    this.#verified.set(holder, verified);
    return this.#accept(verified, tenant, keys);
  }

  #accept(verified: VerifiedToken, tenant: Tenant, keys: TenantKeys): Identity {
    const nowSeconds = Math.floor(this.#now() / 1000);
    const { accepted } = verified;
    if (accepted !== undefined && nowSeconds >= accepted.fromSeconds && nowSeconds <= accepted.untilSeconds) {
      return accepted.identity;
    }
    checkClaims(verified.claims, nowSeconds, tenant.settings.jwtAud);
    const identity = identifyClaims(verified.claims, tenant, keys);
    verified.accepted = { identity, ...timesOf(verified.claims) };
    return identity;
  }
}

function admit({ result, isKey }: Identity, tenant: Tenant, apikey: string | undefined): AuthResult {
  if (!tenant.requireApiKey || isKey) return result;
  if (apikey === undefined) throw noApiKey();
  throw new GatewayError('GW105');
}

function anonymous(tenant: Tenant): AuthResult {
  const role = tenant.settings.dbAnonRole;
  if (role === undefined) throw tokenRequired();
  return authResult(tenant, role, roleOnlyClaims(role));
}

function identifyKey(text: string, tenant: Tenant): Identity {
  const key = findApiKey(text, tenant);
  if (key === undefined) throw new GatewayError('GW105');
  return { result: authResult(tenant, key.role, roleOnlyClaims(key.role)), isKey: true };
}

function identifyClaims(claims: TokenClaims, tenant: Tenant, keys: TenantKeys): Identity {
  const role = keys.roleClaim(claims.values) ?? tenant.settings.dbAnonRole;
  if (role === undefined) throw tokenRequired();
  const isKey = (role === 'anon' || role === 'service_role') && claims.values.sub === undefined;
  const { sub } = claims.values;
  const result = authResult(tenant, role, claimsJson(claims, role));
  return { result: typeof sub === 'string' ? { ...result, subject: sub } : result, isKey };
}

function authResult(tenant: Tenant, role: string, claims: string): AuthResult {
  const physical = physicalRole(tenant.naming, role);
  // `SET ROLE none` goes back to the login itself. No role can have that name, so it is refused like every unknown role, and so is
  // what would be another tenant's.
  if (physical === 'none' || !isOwnRole(tenant, role)) {
    throw new GatewayError({ code: '22023', status: 401, message: `role "${role}" does not exist` });
  }
  return {
    role,
    physicalRole: physical,
    claimsJson: claims,
    isAuthenticated: role !== tenant.settings.dbAnonRole,
  };
}

function noApiKey(): GatewayError {
  return new GatewayError('GW104', { hint: 'No `apikey` request header or url param was found.' });
}
