import { createHash } from 'node:crypto';

/**
 * Key of the advisory lock, in the control database, of whoever changes a tenant's objects: migrations, deletion. 63 bits of a
 * hash, as text for a bigint parameter.
 */
export function tenantLockKey(tenantId: string): string {
  const bytes = createHash('sha256').update(`cascata/tenant/${tenantId}`).digest();
  return (bytes.readBigUInt64BE() >> 1n).toString();
}
