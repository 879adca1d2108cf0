import pg from 'pg';
import { AdminError } from '../api/admin-error.ts';

/** The conflict that a unique constraint of the registry stands for; `undefined` for any other error. */
export function conflictOf(
  error: unknown,
  { id, hosts }: { id: string; hosts?: readonly string[] | undefined },
): AdminError | undefined {
  if (!(error instanceof pg.DatabaseError) || error.code !== '23505' || error.schema !== 'control')
    return undefined;
  if (error.table === 'tenants') {
    return new AdminError('conflict', `There is a tenant '${id}' already`, { cause: error });
  }
  if (error.table !== 'tenant_hosts') return undefined;
  // The detail reads: Key (host)=(acme.localhost) already exists.
  const taken = hosts?.find((host) => error.detail?.includes(`=(${host})`)) ?? hosts?.join(', ');
  return new AdminError('conflict', `The host '${taken}' belongs to another tenant already`, {
    cause: error,
  });
}
