import type { LookupFunction } from 'node:net';
import { isIP } from 'node:net';
import type { NetworkPolicy } from './network-policy.ts';

/**
 * Looks names up for `net.connect` and its like, and gives addresses only that the policy allows: what is connected to is what was checked.
 * Addresses written as such are never looked up; `admitHost` is for these.
 */
export function guardedLookup(policy: NetworkPolicy): LookupFunction {
  return (host, { all }, done) => {
    policy.resolve(host).then(
      (addresses) => {
        const list = addresses.map(({ address, family }) => ({ address, family }));
        const [first] = list;
        if (all === true) done(null, list);
        else done(null, first?.address ?? '', first?.family);
      },
      (error: unknown) => done(error instanceof Error ? error : new Error('the host is not known'), '', 0),
    );
  };
}

/** Refuses a URL whose host is an address that tenants' connections may not lead to. @throws {RefusedAddressError} */
export async function admitHost(policy: NetworkPolicy, url: string): Promise<void> {
  const host = hostOf(url);
  if (isIP(host) !== 0) await policy.resolve(host);
}

/** Name or address that a URL leads to; an address of version 6 without its brackets, as look-ups want it. */
export function hostOf(url: string): string {
  return new URL(url).hostname.replace(/^\[|\]$/g, '');
}
