import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import { createAuthority } from '../../../test/support/certificates.ts';
import { startTlsPostgres, type TlsPostgres } from '../../../test/support/tls-postgres.ts';
import { type AdminHarness, startAdminHarness } from '../support/admin-harness.ts';

let admin: AdminHarness;

beforeAll(async () => {
  admin = await startAdminHarness();
});

afterAll(() => admin.stop());

async function register(dsn: string, more: object = {}) {
  const id = admin.tenantId('net');
  const answer = await admin.request('POST', '/v1/tenants', {
    body: {
      id,
      hosts: [`${id}.localhost`],
      placement: { kind: 'remote', remote_connection_string: dsn, ...more },
    },
  });
  return { id, ...answer };
}

const OWN_NETWORKS = "The database cannot be used: the host is an address of the platform's own networks";

describe('a connection string into the platform’s own networks', () => {
  it.each([
    '127.0.0.2',
    '10.0.0.1',
    '172.16.3.4',
    '192.168.1.1',
    '169.254.169.254',
    '2852039166',
    '0xa9fea9fe',
    '0177.0.0.2',
    '[::ffff:10.0.0.1]',
    '[::ffff:7f00:2]',
    '[fe80::1]',
    '[fd00:ec2::254]',
    '[64:ff9b::a00:1]',
  ])('is refused at registration: %s', async (host) => {
    const { status, body, text } = await register(`postgres://spy:hidden-word@${host}:5432/db`);
    expect([status, body.code, body.message]).toEqual([422, 'unreachable', OWN_NETWORKS]);
    expect(text).not.toMatch(/hidden-word|spy/);
  });

  it('is refused in a PATCH and for a replica too, and changes nothing', async () => {
    const { id, status } = await register(admin.sharedUrl);
    expect(status).toBe(201);
    const replica = await admin.request('PATCH', `/v1/tenants/${id}`, {
      body: {
        placement: {
          kind: 'remote',
          remote_connection_string: admin.sharedUrl,
          read_replica_url: 'postgres://u:p@10.0.0.1/db',
        },
      },
    });
    expect([replica.status, replica.body.message]).toEqual([422, OWN_NETWORKS]);
    expect(replica.body.details).toEqual([
      {
        path: 'placement.read_replica_url',
        message: "the host is an address of the platform's own networks",
      },
    ]);
    const { body } = await admin.request('GET', `/v1/tenants/${id}`);
    expect(body.tenant).toMatchObject({ epoch: 1, placement: { read_replica: null } });
  });
});

test('a jwks_url into the platform’s own networks is refused, at registration and in a PATCH', async () => {
  const jwt = { jwks_url: 'https://169.254.169.254/keys' };
  const message = "The key set cannot be used: the host is an address of the platform's own networks";
  const id = admin.tenantId('net');
  const body = { id, hosts: [`${id}.localhost`], jwt };
  const made = await admin.request('POST', '/v1/tenants', { body });
  expect([made.status, made.body.message]).toEqual([422, message]);
  await admin.request('POST', '/v1/tenants', { body: { ...body, jwt: undefined } });
  for (const jwks_url of [jwt.jwks_url, 'https://[fe80::1]/keys']) {
    const changed = await admin.request('PATCH', `/v1/tenants/${id}`, { body: { jwt: { jwks_url } } });
    expect([changed.status, changed.body.message]).toEqual([422, message]);
  }
});

describe('a CA of a tenant’s own', () => {
  const right = createAuthority('of the tenant');
  const wrong = createAuthority('of somebody else');
  let postgres: TlsPostgres;

  beforeAll(async () => {
    postgres = await startTlsPostgres(right.issue(['localhost']), 'tls-password');
  });

  afterAll(() => postgres?.stop());

  const dsn = (sslMode: string, host = 'localhost') => {
    const url = new URL(postgres.url);
    url.hostname = host;
    url.searchParams.set('sslmode', sslMode);
    return url.href;
  };

  it('is what the database is tried with, is shown, and is what jobs connect with', async () => {
    const { id, status, body } = await register(dsn('verify-full'), { ca_certificate: right.certificate });
    expect([status, body.tenant?.placement]).toEqual([
      201,
      expect.objectContaining({ kind: 'remote', host: 'localhost', ca_certificate: right.certificate }),
    ]);
    const job = await admin.migrate(
      id,
      '-- UP\nCREATE TABLE over_tls AS SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid();\n-- DOWN\nSELECT 1;',
    );
    expect(job.state).toBe('completed');
  });

  it.each([
    [
      'verify-full',
      'localhost',
      wrong.certificate,
      "the server's certificate is not signed by a trusted authority",
    ],
    ['verify-full', 'localhost', undefined, "the server's certificate is not signed by a trusted authority"],
    ['verify-full', '127.0.0.1', right.certificate, "the server's certificate is for another host name"],
  ])(
    'sslmode=%s to %s with another authority or name is refused',
    async (mode, host, certificate, reason) => {
      const answer = await register(
        dsn(mode, host),
        certificate === undefined ? {} : { ca_certificate: certificate },
      );
      expect([answer.status, answer.body.message]).toEqual([422, `The database cannot be used: ${reason}`]);
      expect(answer.text).not.toContain('tls-password');
    },
  );

  it('is refused with a connection string that asks for no TLS', async () => {
    const { status, body } = await register(postgres.url, { ca_certificate: right.certificate });
    expect([status, body.details?.[0]?.path]).toEqual([400, 'placement.ca_certificate']);
  });
});
