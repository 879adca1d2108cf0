import { hostOf } from '../../gateway/platform/guarded-lookup.ts';
import { RefusedAddressError } from '../../gateway/platform/network-policy.ts';
import { parsePostgrestSettings } from '../../gateway/registry/postgrest-settings.ts';
import type { TenantNaming } from '../../gateway/registry/tenant.ts';
import { AdminError, type InputProblem } from '../api/admin-error.ts';
import { problemOfLogicalSchema } from '../provision/tenant-names.ts';
import type { AdminServices } from './admin-services.ts';
import { problemOfConnecting } from './dsn.ts';
import type { JwtInput } from './jwt-input.ts';
import { givenDsns } from './placement-columns.ts';
import { homeOf } from './tenant-home.ts';
import type { PlacementInput } from './tenant-input.ts';
import { namingOf, type TenantRecord } from './tenant-record.ts';

/**
 * A change of placement writes the registry and moves no data, so it may only lead to where the tenant's data can be: somewhere
 * remote, which the operator vouches for, or back to what it was made with.
 *
 * @throws {AdminError} `conflict`
 */
export function refuseMove(before: TenantRecord, kind: PlacementInput['kind']): void {
  if (kind === 'remote' || kind === before.placement_kind) return;
  const home = homeOf(namingOf(before));
  if (kind === home || (kind === 'shared' && home === 'none')) return;
  throw new AdminError(
    'conflict',
    `The placement of the tenant '${before.id}' cannot become "${kind}": its data is not there, and PATCH moves none`,
    {
      hint: `Make a tenant with {"kind":"${kind}"}, apply the same migrations and copy the rows; the hosts can be given to it afterwards`,
    },
  );
}

/** @throws {AdminError} `unreachable` when a DSN that was given does not lead to a database, or leads into the platform's own networks */
export async function tryConnections(
  { networkPolicy }: AdminServices,
  placement: PlacementInput,
): Promise<void> {
  if (placement.kind === 'shared') return;
  const foreign = { policy: networkPolicy, caCertificate: placement.ca_certificate ?? undefined };
  const problems = await Promise.all(
    givenDsns(placement).map(async ({ path, dsn }): Promise<InputProblem | undefined> => {
      const message = await problemOfConnecting(dsn, foreign);
      return message === undefined ? undefined : { path, message };
    }),
  );
  const details = problems.filter((problem) => problem !== undefined);
  if (details.length > 0) {
    throw new AdminError('unreachable', `The database cannot be used: ${details[0]!.message}`, { details });
  }
}

/** @throws {AdminError} `unreachable` for a `jwks_url` whose host is within the platform's own networks */
export async function refuseOwnNetworks(
  { networkPolicy }: AdminServices,
  jwt: JwtInput | null | undefined,
): Promise<void> {
  if (jwt?.jwks_url === undefined) return;
  try {
    await networkPolicy.resolve(hostOf(jwt.jwks_url));
  } catch (error) {
    // A name that cannot be looked up now may be there later: the gateway looks again.
    if (!(error instanceof RefusedAddressError)) return;
    throw new AdminError('unreachable', `The key set cannot be used: ${error.message}`, {
      details: [{ path: 'jwt.jwks_url', message: error.message }],
    });
  }
}

/** Exposed schemas of a tenant, checked against the names its placement allows. @throws {AdminError} */
export function exposedSchemas(
  postgrest: Parameters<typeof parsePostgrestSettings>[0],
  naming: TenantNaming,
): readonly string[] {
  const { dbSchemas } = parsePostgrestSettings(postgrest);
  const details = dbSchemas.flatMap((logical) => {
    const message = problemOfLogicalSchema(naming, logical);
    return message === undefined ? [] : [{ path: 'postgrest.db-schemas', message }];
  });
  if (details.length > 0) throw new AdminError('invalid_request', 'db-schemas cannot be used', { details });
  return dbSchemas;
}
