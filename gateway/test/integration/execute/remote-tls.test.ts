import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { createAuthority } from '../../../../test/support/certificates.ts';
import { startTlsPostgres, type TlsPostgres } from '../../../../test/support/tls-postgres.ts';
import { GatewayError } from '../../../errors/gateway-error.ts';
import { createNetworkPolicy } from '../../../platform/network-policy.ts';
import { aRequest, firstFields, openPools, upstreamAt } from './support.ts';

const right = createAuthority('the right authority');
const wrong = createAuthority('another authority');
/** For the name alone: reached by its address, the server has the wrong name. */
const server = right.issue(['localhost']);
const PASSWORD = 'superuser-password';
const networkPolicy = createNetworkPolicy({ allowedNetworks: ['127.0.0.1/32'], ownHosts: [] });

let postgres: TlsPostgres;

beforeAll(async () => {
  postgres = await startTlsPostgres(server, PASSWORD);
});

afterAll(() => postgres?.stop());

/** Whether the session is encrypted, as PostgreSQL sees it; else the error's code and details. */
async function answerOf(target: {
  host: string;
  query: string;
  ca?: string;
  password?: string;
}): Promise<unknown> {
  const { host, query, ca, password = PASSWORD } = target;
  return outcomeOf(`postgres://postgres:${password}@${host}:${postgres.port}/postgres${query}`, ca);
}

async function outcomeOf(url: string, caCertificate?: string): Promise<unknown> {
  await using opened = openPools({ networkPolicy });
  const upstream = upstreamAt(url, {
    name: 'remote:a',
    key: 'remote:a@1',
    pooling: 'leased',
    foreign: { caCertificate },
  });
  const question = aRequest('postgres', ['SELECT ssl::text FROM pg_stat_ssl WHERE pid = pg_backend_pid()']);
  try {
    const [encrypted] = await firstFields(opened.pools, upstream, question);
    return encrypted;
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    const shown = JSON.stringify([error.message, error.details, error.hint]);
    expect(shown).not.toMatch(/localhost|127\.0\.0\.1|password-|superuser-|postgres:/);
    return [error.code, error.details];
  }
}

const UNTRUSTED = ['PGRST000', "The server's certificate is not signed by a trusted authority"];
const OTHER_NAME = ['PGRST000', "The server's certificate is for another host name"];

describe('a server with a certificate of its own', () => {
  test('sslmode=verify-full takes the right authority and the right name', async () => {
    expect(await answerOf({ host: 'localhost', query: '?sslmode=verify-full', ca: right.certificate })).toBe(
      'true',
    );
  });

  test('… of several authorities one is enough', async () => {
    const ca = wrong.certificate + right.certificate;
    expect(await answerOf({ host: 'localhost', query: '?sslmode=verify-full', ca })).toBe('true');
  });

  test.each(['require', 'verify-ca', 'verify-full'])(
    'sslmode=%s refuses the wrong authority',
    async (mode) => {
      expect(await answerOf({ host: 'localhost', query: `?sslmode=${mode}`, ca: wrong.certificate })).toEqual(
        UNTRUSTED,
      );
    },
  );

  test.each(['verify-ca', 'verify-full'])(
    'sslmode=%s refuses it by the system’s authorities',
    async (mode) => {
      expect(await answerOf({ host: 'localhost', query: `?sslmode=${mode}` })).toEqual(UNTRUSTED);
    },
  );

  test('sslmode=verify-full refuses another host name, which verify-ca lets pass', async () => {
    const ca = right.certificate;
    expect(await answerOf({ host: '127.0.0.1', query: '?sslmode=verify-full', ca })).toEqual(OTHER_NAME);
    expect(await answerOf({ host: '127.0.0.1', query: '?sslmode=verify-ca', ca })).toBe('true');
  });

  test('sslmode=require without an authority encrypts and checks nothing', async () => {
    expect(await answerOf({ host: '127.0.0.1', query: '?sslmode=require' })).toBe('true');
  });

  test('without sslmode the connection is plain', async () => {
    expect(await answerOf({ host: 'localhost', query: '' })).toBe('false');
  });

  test('a wrong password is told as such (SCRAM)', async () => {
    const query = '?sslmode=verify-full';
    expect(
      await answerOf({ host: 'localhost', query, ca: right.certificate, password: 'password-x' }),
    ).toEqual(['PGRST000', 'The server refused the user or the password']);
  });
});

test('a server without TLS is not used when TLS is asked for', async () => {
  const url = `${inject('postgresUrl')}?sslmode=require`;
  expect(await outcomeOf(url)).toEqual(['PGRST000', 'The server does not offer TLS']);
});

test('an address that is not allowed is refused as such, however it is written', async () => {
  const { port } = postgres;
  for (const host of ['127.0.0.2', '2130706434', '[::ffff:127.0.0.2]', '169.254.169.254', '10.0.0.1'])
    expect([host, await outcomeOf(`postgres://u:p@${host}:${port}/d`)]).toEqual([host, ['GW204', undefined]]);
  expect(await outcomeOf(`postgres://u:p@x/d?host=/var/run/postgresql`)).toEqual(['GW204', undefined]);
});
