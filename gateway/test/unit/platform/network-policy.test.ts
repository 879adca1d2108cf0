import { createServer, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { guardedSocket } from '../../../platform/guarded-socket.ts';
import {
  createNetworkPolicy,
  type NetworkPolicy,
  RefusedAddressError,
} from '../../../platform/network-policy.ts';

const strict = createNetworkPolicy({ allowedNetworks: [], ownHosts: [] });

async function outcome(host: string, policy = strict): Promise<string> {
  try {
    const addresses = await policy.resolve(host);
    return addresses.map(({ address }) => address).join();
  } catch (error) {
    if (error instanceof RefusedAddressError) return 'refused';
    throw error;
  }
}

describe('createNetworkPolicy', () => {
  it.each([
    ['loopback', '127.0.0.1'],
    ['another loopback', '127.9.9.9'],
    ['metadata services', '169.254.169.254'],
    ['RFC 1918', '10.1.2.3'],
    ['RFC 1918', '172.31.255.255'],
    ['RFC 1918', '192.168.0.1'],
    ['carrier NAT', '100.64.0.1'],
    ['this host', '0.0.0.0'],
    ['multicast', '224.0.0.1'],
    ['broadcast', '255.255.255.255'],
    ['decimal', '2130706433'],
    ['hexadecimal', '0x7f000001'],
    ['octal', '0177.0.0.1'],
    ['a short form', '127.1'],
    ['IPv6 loopback', '::1'],
    ['IPv6 loopback in brackets', '[::1]'],
    ['IPv6 loopback in full', '0:0:0:0:0:0:0:1'],
    ['IPv6 any', '::'],
    ['IPv4-mapped', '::ffff:127.0.0.1'],
    ['IPv4-mapped in hexadecimal', '::ffff:7f00:1'],
    ['IPv4-mapped metadata', '[::ffff:a9fe:a9fe]'],
    ['IPv4-compatible', '::127.0.0.1'],
    ['NAT64', '64:ff9b::10.0.0.1'],
    ['6to4', '2002:7f00:1::'],
    ['unique local', 'fd00:ec2::254'],
    ['link-local', 'fe80::1'],
    ['link-local with its zone', 'fe80::1%lo'],
    ['a name that resolves there', 'localhost'],
    ['a Unix socket', '/var/run/postgresql'],
    ['an abstract socket', '@postgres'],
    ['no host', ''],
  ])('refuses %s: %s', async (_, host) => {
    expect(await outcome(host)).toBe('refused');
  });

  it.each(['8.8.8.8', '172.32.0.1', '2606:4700::1111', '::ffff:8.8.8.8'])(
    'allows the public %s',
    async (host) => {
      expect(await outcome(host)).toBe(host);
    },
  );

  it('allows what an operator names, also in its other spellings, and nothing beside it', async () => {
    const policy = createNetworkPolicy({ allowedNetworks: ['10.20.0.0/16', 'fd12::/32'], ownHosts: [] });
    expect(await outcome('10.20.30.40', policy)).toBe('10.20.30.40');
    expect(await outcome('::ffff:10.20.30.40', policy)).toBe('::ffff:10.20.30.40');
    expect(await outcome('fd12::1', policy)).toBe('fd12::1');
    expect(await outcome('10.21.0.1', policy)).toBe('refused');
  });

  it('opens a server of our own only where it is named alone', async () => {
    const ownHosts = ['10.20.0.5', '8.8.4.4', 'localhost'];
    const wide = createNetworkPolicy({ allowedNetworks: ['10.0.0.0/8', '127.0.0.0/8', '::/0'], ownHosts });
    expect(await outcome('10.20.0.6', wide)).toBe('10.20.0.6');
    for (const host of ['10.20.0.5', '::ffff:10.20.0.5', '8.8.4.4', '127.0.0.1'])
      expect([host, await outcome(host, wide)]).toEqual([host, 'refused']);
    const exact = createNetworkPolicy({ allowedNetworks: ['10.20.0.5/32'], ownHosts });
    expect(await outcome('10.20.0.5', exact)).toBe('10.20.0.5');
  });
});

describe('guardedSocket', () => {
  let connections: Socket[];
  let port: number;
  const server = createServer((socket) => connections.push(socket));

  beforeEach(async () => {
    connections = [];
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    port = typeof address === 'object' && address !== null ? address.port : 0;
  });

  afterEach(async () => {
    for (const connection of connections) connection.destroy();
    await new Promise((resolve) => server.close(resolve));
  });

  const connected = (policy: NetworkPolicy, target: [port: number, host: string]): Promise<string> =>
    new Promise((resolve) => {
      const socket = guardedSocket(policy);
      socket.once('connect', () => {
        resolve(`connected to ${socket.remoteAddress}`);
        socket.destroy();
      });
      socket.once('error', (error) => resolve(error.name));
      socket.connect(...target);
    });

  it('connects to the address that was checked, whatever the name leads to a moment later', async () => {
    let lookups = 0;
    // The name's first answer is allowed; a second one, to connect by, would be the attack.
    const rebinding: NetworkPolicy = {
      resolve: async () => {
        lookups++;
        return [{ address: '127.0.0.1', family: 4 }];
      },
    };
    expect(await connected(rebinding, [port, 'rebinding.example'])).toBe('connected to 127.0.0.1');
    expect(lookups).toBe(1);
  });

  it('never opens a connection to what is refused', async () => {
    for (const host of ['127.0.0.1', 'localhost', '2130706433', '::ffff:127.0.0.1'])
      expect([host, await connected(strict, [port, host])]).toEqual([host, 'RefusedAddressError']);
    expect(connections).toEqual([]);
  });
});
