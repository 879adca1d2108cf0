import { loginUrl } from '../../gateway/platform/derived-logins.ts';
import { unsealText } from '../../gateway/registry/sealing.ts';
import { Secret } from '../../gateway/registry/secrets.ts';
import { tenantSealContext } from '../../gateway/registry/tenant-row.ts';
import { AdminError } from '../api/admin-error.ts';
import type { AdminServices } from './admin-services.ts';
import type { ChangedPlacementInput, PlacementInput } from './tenant-input.ts';
import type { TenantRecord } from './tenant-record.ts';

/**
 * The whole of a placement that a client gave in part: without `remote_connection_string` a remote tenant stays where it is, whose string nobody knows after a move, and its
 * replicas, being copies, are reached by the same login.
 *
 * @throws {AdminError} `invalid_request` for a tenant that is not remote
 */
export function wholePlacement(
  { masterKey }: Pick<AdminServices, 'masterKey'>,
  before: TenantRecord,
  given: ChangedPlacementInput,
): PlacementInput {
  if (given.kind !== 'remote') return given;
  const { remote_connection_string: string, ca_certificate, ...others } = given;
  if (string !== undefined) return { ...given, remote_connection_string: string };
  if (before.sealed_connection_string === null) {
    const message = 'is needed: the tenant has no connection string yet';
    throw new AdminError('invalid_request', `placement.remote_connection_string ${message}`, {
      details: [{ path: 'placement.remote_connection_string', message }],
    });
  }
  const context = tenantSealContext(before.id, 'connection_string');
  const kept = unsealText(before.sealed_connection_string, { masterKey, context });
  const { username, password } = new URL(kept);
  const login = decodeURIComponent(username);
  const secret = new Secret(decodeURIComponent(password));
  const there = (url: string) => loginUrl(new Secret(url), { login, password: secret }).reveal();
  const { read_replica_url: one, read_replica_urls: several } = others;
  return {
    kind: 'remote',
    remote_connection_string: kept,
    read_replica_url: typeof one === 'string' ? there(one) : one,
    read_replica_urls: several?.map(there),
    ca_certificate: ca_certificate === undefined ? before.ca_certificate : ca_certificate,
  };
}
