import { BlockList, isIP } from 'node:net';

/** Tells whether an address is that of a proxy whose `X-Forwarded-Host` is believed. */
export type IsTrustedProxy = (address: string | undefined) => boolean;

/**
 * @param ranges addresses and CIDR ranges, checked before by the configuration
 * @example trustedProxies(['10.0.0.0/8'])('::ffff:10.1.2.3') // true
 */
export function trustedProxies(ranges: readonly string[]): IsTrustedProxy {
  if (ranges.length === 0) return () => false;
  const list = new BlockList();
  for (const range of ranges) {
    const [address = '', prefix] = range.split('/');
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
    if (prefix === undefined) list.addAddress(address, family);
    else list.addSubnet(address, Number(prefix), family);
  }
  return (given) => {
    // A server that listens on `::` sees IPv4 clients by their mapped addresses.
    const address = given?.startsWith('::ffff:') && given.includes('.') ? given.slice(7) : given;
    const version = address === undefined ? 0 : isIP(address);
    return version !== 0 && list.check(address!, version === 6 ? 'ipv6' : 'ipv4');
  };
}
