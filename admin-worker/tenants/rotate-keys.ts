import { AdminError } from '../api/admin-error.ts';
import { inTransaction } from '../connections.ts';
import { refuseWhileAway } from '../moves/tenant-move.ts';
import type { AdminServices } from './admin-services.ts';
import { type Actor, recordAudit } from './audit.ts';
import { jwtColumns } from './jwt-input.ts';
import { type ApiKeyKind, readTenantKeys, replaceApiKeys, type TenantKeys } from './tenant-keys.ts';
import { findTenant } from './tenant-record.ts';
import { tenantNotFound } from './update-tenant.ts';

/**
 * Puts new keys in place of old ones, which stop working at once. `jwt` makes a new secret and with it new `anon` and `service_role`
 * tokens.
 *
 * @throws {AdminError} `not_found`; `conflict` for `jwt` where the tenant's tokens are not signed with a secret of ours
 */
export async function rotateKeys(
  { control, masterKey }: AdminServices,
  { id, kinds, actor }: { id: string; kinds: readonly (ApiKeyKind | 'jwt')[]; actor: Actor },
): Promise<TenantKeys> {
  return inTransaction(control, async (client) => {
    const before = await findTenant(client, id, 'lock');
    if (before === undefined) throw tenantNotFound(id);
    await refuseWhileAway(client, id);
    const opaque = kinds.filter((kind) => kind !== 'jwt');
    if (opaque.length > 0) await replaceApiKeys(client, { tenantId: id, kinds: opaque, masterKey });
    if (kinds.includes('jwt')) {
      if (before.jwt_kind !== 'secret') {
        throw new AdminError('conflict', `The tokens of '${id}' are not signed with a secret`, {
          hint: 'Change "jwt" with PATCH instead',
        });
      }
      const { sealed_jwt } = jwtColumns(undefined, { tenantId: id, masterKey });
      await client.query(
        `UPDATE control.tenants
         SET sealed_jwt = $2, keys_issued_at = date_trunc('second', now()), updated_at = now()
         WHERE id = $1`,
        [id, sealed_jwt],
      );
    }
    await recordAudit(client, { actor, action: 'keys.rotate', tenantId: id, after: { keys: kinds } });
    return readTenantKeys(client, (await findTenant(client, id))!, masterKey);
  });
}
