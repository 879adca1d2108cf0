import type { Tenant } from './tenant.ts';

/** The data plane's read-only view of the registry. */
export interface RegistryReader {
  /**
   * Finds the tenant of a host name (lower case, without port): an exact host wins over `*.domain` patterns, a longer
   * pattern over a shorter one.
   *
   * @param known what was found before: the very same object is returned when nothing of it has changed, which costs a fraction
   * @throws {Error} when the control database cannot be reached
   */
  findTenantByHost(host: string, signal: AbortSignal, known?: Tenant): Promise<Tenant | undefined>;

  /** Cheap check that the registry answers and its schema is there. */
  ping(signal: AbortSignal): Promise<void>;
}

/**
 * Changes are announced on the channel `cascata_registry` (direct connection, not through PgBouncer); the payload is JSON
 * `{"tenant":"acme","hosts":["acme.localhost"],"schema":true?}`: `schema` says that the tenant's schema cache is stale.
 * A payload is a hint only: what it names is dropped from caches and read again.
 */
export const REGISTRY_CHANNEL = 'cascata_registry';
