import { lookup } from 'node:dns/promises';
import { BlockList, isIP, isIPv4 } from 'node:net';

/** An address that a connection may be made to, as `net.connect` takes it. */
export interface ResolvedAddress {
  readonly address: string;
  readonly family: number;
}

/** Says which addresses a connection string of a tenant's may lead to. */
export interface NetworkPolicy {
  /**
   * Looks a host up and gives the addresses that are allowed, at least one. Whoever connects uses these and does not look the name up again.
   *
   * @throws {RefusedAddressError} when there is none
   * @throws {Error} of the resolver, for a name that is not known
   */
  resolve(host: string): Promise<readonly ResolvedAddress[]>;
}

export interface NetworkPolicyOptions {
  /** Addresses and CIDR ranges that are allowed although they are private or our own. */
  readonly allowedNetworks: readonly string[];
  /** Hosts of our own servers. Only an entry of `allowedNetworks` that names the address alone lets a tenant connect to one. */
  readonly ownHosts: readonly string[];
}

/** The address is one of the platform's own networks. Its text holds neither host nor address. */
export class RefusedAddressError extends Error {
  override readonly name = 'RefusedAddressError';
  readonly code = 'ADDRESS_REFUSED';

  constructor() {
    super("the host is an address of the platform's own networks");
  }
}

/**
 * What is not reachable over the public Internet, or stands for something that is not: loopback, link-local (with the clouds' metadata services), private, shared,
 * test, multicast and reserved ranges; of IPv6 also the prefixes that hold an IPv4 address (compatible, NAT64, Teredo, 6to4). IPv4-mapped addresses are
 * checked as IPv4 by `BlockList` itself.
 */
const PLATFORM_NETWORKS = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
  '::/96',
  '64:ff9b::/96',
  '64:ff9b:1::/48',
  '100::/64',
  '2001::/32',
  '2001:db8::/32',
  '2002::/16',
  'fc00::/7',
  'fe80::/10',
  'fec0::/10',
  'ff00::/8',
];

/** How long the addresses of our own hosts are remembered. */
const OWN_ADDRESSES_MS = 30_000;

export function createNetworkPolicy({ allowedNetworks, ownHosts }: NetworkPolicyOptions): NetworkPolicy {
  const refused = blockList(PLATFORM_NETWORKS);
  const allowed = blockList(allowedNetworks);
  const allowedAlone = blockList(allowedNetworks.filter(isOneAddress));
  const own = new OwnAddresses(ownHosts);
  const lookups = new Map<string, Promise<readonly ResolvedAddress[]>>();

  async function resolve(host: string): Promise<readonly ResolvedAddress[]> {
    const name = host.replace(/^\[|\]$/g, '');
    // No name, the folder of a Unix socket, an abstract one: nothing that a network could tell apart from our own.
    if (name === '' || /^[/@]/.test(name)) throw new RefusedAddressError();
    const [found, ownList] = await Promise.all([addressesOf(name), own.list()]);
    const usable = found.filter(({ address }) => {
      if (matches(ownList, address)) return matches(allowedAlone, address);
      return !matches(refused, address) || matches(allowed, address);
    });
    if (usable.length === 0) throw new RefusedAddressError();
    return usable;
  }

  /** Many connections to one host at once take one turn in the resolver's few threads. */
  function addressesOf(name: string): Promise<readonly ResolvedAddress[]> {
    const running = lookups.get(name);
    if (running !== undefined) return running;
    const started = lookupAll(name).finally(() => lookups.delete(name));
    lookups.set(name, started);
    return started;
  }

  return { resolve };
}

/** Decimal, octal and hexadecimal spellings of IPv4 are no addresses to `isIP`: the resolver turns them into one, which is then checked. */
async function lookupAll(name: string): Promise<readonly ResolvedAddress[]> {
  const family = isIP(name);
  if (family !== 0) return [{ address: name, family }];
  return await lookup(name, { all: true, verbatim: true });
}

/** Addresses of hosts of ours, looked up again now and then; one that cannot be looked up keeps what it had. */
class OwnAddresses {
  readonly #hosts: readonly string[];
  readonly #known = new Map<string, readonly ResolvedAddress[]>();
  #list = new BlockList();
  #validUntilMs = 0;

  constructor(hosts: readonly string[]) {
    this.#hosts = hosts
      .map((host) => host.replace(/^\[|\]$/g, ''))
      .filter((host) => host !== '' && !/^[/@]/.test(host));
  }

  async list(): Promise<BlockList> {
    if (this.#hosts.length === 0 || Date.now() < this.#validUntilMs) return this.#list;
    await Promise.all(
      this.#hosts.map(async (host) => {
        const found = await lookupAll(host).catch(() => undefined);
        if (found !== undefined) this.#known.set(host, found);
      }),
    );
    this.#list = blockList([...this.#known.values()].flat().map(({ address }) => withoutZone(address)));
    this.#validUntilMs = Date.now() + OWN_ADDRESSES_MS;
    return this.#list;
  }
}

function blockList(networks: readonly string[]): BlockList {
  const list = new BlockList();
  for (const network of networks) {
    const [address = '', prefix] = network.split('/');
    const family = isIPv4(address) ? 'ipv4' : 'ipv6';
    if (prefix === undefined) list.addAddress(address, family);
    else list.addSubnet(address, Number(prefix), family);
  }
  return list;
}

function matches(list: BlockList, address: string): boolean {
  return list.check(withoutZone(address), isIPv4(address) ? 'ipv4' : 'ipv6');
}

/** `fe80::1%eth0` → `fe80::1`. */
function withoutZone(address: string): string {
  return address.split('%', 1)[0] ?? address;
}

function isOneAddress(network: string): boolean {
  const [address = '', prefix] = network.split('/');
  return prefix === undefined || Number(prefix) === (isIPv4(address) ? 32 : 128);
}
