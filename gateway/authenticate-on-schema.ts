import type { AuthResult } from './auth/auth-result.ts';
import type { Authenticator } from './auth/authenticate.ts';
import type { Credentials } from './auth/credentials.ts';
import { GatewayError } from './errors/gateway-error.ts';
import type { RequestTrace } from './http/request-trace.ts';
import { STAGE } from './platform/observation.ts';
import type { Tenant } from './registry/tenant.ts';
import type { SchemaCache } from './schema-cache/schema-cache.ts';
import type { SchemaCacheStore } from './schema-cache/schema-cache-store.ts';

/** A request's tenant as its own database completes it, and who the request is. */
export interface Authenticated {
  /** Without the settings of its own database. */
  readonly registered: Tenant;
  /** With the settings of its picture, see `SchemaCacheStore.withSettings`. */
  readonly tenant: Tenant;
  readonly auth: AuthResult;
  readonly picture: SchemaCache;
}

interface AuthenticationServices {
  readonly authenticator: Authenticator;
  readonly schemaCaches: SchemaCacheStore;
}

/** Refusals that depend on settings which the tenant's database may hold: the anonymous role, the role's claim, the audience. */
const SETTLED_BY_SETTINGS: ReadonlySet<string> = new Set(['PGRST302', 'PGRST303']);

/**
 * The stages `authenticate` and `schemaCaches.get`, which need each other: the picture holds settings that authentication goes by,
 * and a request that is refused must be refused before anything is said about the picture (trap 8).
 *
 * @throws {GatewayError} as `Authenticator.authenticate`, then as `SchemaCacheStore.get`
 */
export function authenticateOnSchema(
  credentials: Credentials,
  registered: Tenant,
  services: AuthenticationServices,
  context: { readonly http: { readonly signal: AbortSignal }; readonly trace: RequestTrace },
): Authenticated | Promise<Authenticated> {
  const { authenticator, schemaCaches } = services;
  const picture = schemaCaches.current(registered);
  if (picture === undefined) return authenticateFirst(credentials, registered, services, context);
  const { trace } = context;
  const tenant = schemaCaches.withSettings(registered, picture);
  trace.tenant = tenant;
  const known = { registered, tenant, picture };
  const auth = authenticator.authenticate(credentials, tenant);
  if (auth instanceof Promise) return auth.then((result) => identified(known, result, trace));
  return identified(known, auth, trace);
}

function identified(
  { registered, tenant, picture }: Omit<Authenticated, 'auth'>,
  auth: AuthResult,
  trace: RequestTrace,
): Authenticated {
  trace.auth = auth;
  trace.lap(STAGE.jwt);
  return { registered, tenant, auth, picture };
}

/** The request that has to wait for the tenant's picture. */
async function authenticateFirst(
  credentials: Credentials,
  registered: Tenant,
  { authenticator, schemaCaches }: AuthenticationServices,
  { http, trace }: { readonly http: { readonly signal: AbortSignal }; readonly trace: RequestTrace },
): Promise<Authenticated> {
  const first = await attempt(() => authenticator.authenticate(credentials, registered));
  if (first.auth === undefined && !isSettledBySettings(first.refusal)) throw first.refusal;
  trace.auth = first.auth;
  trace.lap(STAGE.jwt);
  const picture = await schemaCaches.get(registered, http.signal).catch((error: unknown) => {
    throw first.refusal ?? error;
  });
  trace.lap(STAGE.cache);
  const tenant = schemaCaches.withSettings(registered, picture);
  trace.tenant = tenant;
  if (tenant === registered) {
    if (first.auth === undefined) throw first.refusal;
    return { registered, tenant, auth: first.auth, picture };
  }
  // The picture's settings are what holds.
  const auth = await authenticator.authenticate(credentials, tenant);
  trace.auth = auth;
  return { registered, tenant, auth, picture };
}

type Attempt =
  | { readonly auth: AuthResult; readonly refusal: undefined }
  | { readonly auth: undefined; readonly refusal: unknown };

async function attempt(authenticate: () => AuthResult | Promise<AuthResult>): Promise<Attempt> {
  try {
    return { auth: await authenticate(), refusal: undefined };
  } catch (refusal) {
    return { auth: undefined, refusal };
  }
}

function isSettledBySettings(error: unknown): boolean {
  return error instanceof GatewayError && SETTLED_BY_SETTINGS.has(error.code);
}
