import { GatewayError } from '../errors/gateway-error.ts';
import { parseHostName } from '../platform/host-name.ts';
import type { Tenant } from '../registry/tenant.ts';
import type { TenantCache } from './tenant-cache.ts';
import type { IsTrustedProxy } from './trusted-proxies.ts';

/** The parts of a request that say whom it is for. */
export interface HostSource {
  /** Host and port asked for. */
  readonly host: string | undefined;
  /** `parseHostName` of it. */
  readonly hostName: string | undefined;
  /** For `X-Forwarded-Host`, which is believed from trusted proxies only. */
  readonly headers: Readonly<Record<string, string>>;
  readonly remoteAddress: string | undefined;
}

export type ResolveTenant = (source: HostSource) => Tenant | Promise<Tenant>;

/**
 * Makes the pipeline's first stage. It answers without a promise when the host is cached.
 *
 * Throws, or rejects with, `GW108` (no host name), `GW101` (unknown host), `GW102` (suspended), `GW106` (registry down). A tenant
 * that is `moving` is served.
 */
export function createTenantResolver(options: {
  readonly cache: TenantCache;
  readonly isTrustedProxy: IsTrustedProxy;
}): ResolveTenant {
  const { cache, isTrustedProxy } = options;
  return (source) => {
    const host = requestedHost(source, isTrustedProxy);
    const found = cache.get(host);
    return found instanceof Promise ? found.then((tenant) => admit(tenant, host)) : admit(found, host);
  };
}

/** @throws {GatewayError} `GW108` (400) */
function requestedHost(source: HostSource, isTrustedProxy: IsTrustedProxy): string {
  const forwarded = source.headers['x-forwarded-host'];
  const isForwarded = forwarded !== undefined && isTrustedProxy(source.remoteAddress);
  // Proxies append to the list, so its first entry is what the client asked the outermost one for.
  const header = isForwarded ? forwarded.split(',', 1)[0]!.trim() : source.host;
  if (header === undefined || header === '') {
    throw new GatewayError('GW108', { details: 'The request has no Host header' });
  }
  const name = isForwarded ? parseHostName(header) : source.hostName;
  if (name === undefined) throw new GatewayError('GW108', { details: 'The Host header is not a host name' });
  return name;
}

function admit(tenant: Tenant | undefined, host: string): Tenant {
  if (tenant === undefined) {
    throw new GatewayError('GW101', { message: `No project is registered for the host '${host}'` });
  }
  if (tenant.status === 'suspended') throw new GatewayError('GW102');
  return tenant;
}
