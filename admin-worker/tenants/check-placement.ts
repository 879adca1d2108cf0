import { parsePostgrestSettings } from '../../gateway/registry/postgrest-settings.ts';
import type { TenantNaming } from '../../gateway/registry/tenant.ts';
import { AdminError, type InputProblem } from '../api/admin-error.ts';
import { problemOfLogicalSchema } from '../provision/tenant-names.ts';
import { problemOfConnecting } from './dsn.ts';
import { givenDsns } from './placement-columns.ts';
import type { PlacementInput } from './tenant-input.ts';

/** @throws {AdminError} for what this version does not offer */
export function refuseUnavailable(placement: PlacementInput, isolation: string | undefined): void {
  if (isolation === 'sealed') {
    throw new AdminError('invalid_request', 'isolation "sealed" is not available in this version', {
      details: [{ path: 'isolation', message: 'only "trusted" is available' }],
      hint: 'Use "trusted" for projects whose SQL you write yourself, or a remote placement',
    });
  }
  if (placement.kind === 'database') {
    throw new AdminError('not_implemented', 'placement "database" is not available in this version', {
      hint: 'Use {"kind":"shared"}, or {"kind":"remote"} with the DSN of a database of its own',
    });
  }
}

/** @throws {AdminError} `unreachable` when a DSN that was given does not lead to a database */
export async function tryConnections(placement: PlacementInput): Promise<void> {
  const problems = await Promise.all(
    givenDsns(placement).map(async ({ path, dsn }): Promise<InputProblem | undefined> => {
      const message = await problemOfConnecting(dsn);
      return message === undefined ? undefined : { path, message };
    }),
  );
  const details = problems.filter((problem) => problem !== undefined);
  if (details.length > 0) {
    throw new AdminError('unreachable', `The database cannot be used: ${details[0]!.message}`, { details });
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
