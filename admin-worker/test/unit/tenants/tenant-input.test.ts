import { rootCertificates } from 'node:tls';
import { describe, expect, test } from 'vitest';
import { problemOfDsn } from '../../../tenants/dsn.ts';
import { JwtInput } from '../../../tenants/jwt-input.ts';
import { CreateTenantInput, UpdateTenantInput } from '../../../tenants/tenant-input.ts';

describe('bodies', () => {
  test('what is absent has its default', () => {
    expect(CreateTenantInput.parse({ id: 'acme', hosts: ['ACME.localhost '] })).toEqual({
      id: 'acme',
      hosts: ['acme.localhost'],
      placement: { kind: 'shared' },
      require_api_key: false,
      limits: {},
      postgrest: {},
      backends: {},
    });
    expect(UpdateTenantInput.parse({})).toEqual({});
  });

  test.each([
    [{ id: 'acme', hosts: [] }],
    [{ id: 'acme', hosts: ['a', 'A'] }],
    [{ id: 'acme', hosts: ['a'], placement: { kind: 'moon' } }],
    [{ id: 'acme', hosts: ['a'], placement: { kind: 'remote' } }],
    [
      {
        id: 'acme',
        hosts: ['a'],
        placement: { kind: 'shared', remote_connection_string: 'postgres://u@h/d' },
      },
    ],
    [{ id: 'acme', hosts: ['a'], limits: { max_in_flight: 0 } }],
    [{ id: 'acme', hosts: ['a'], limits: { requests_per_second: 1.5 } }],
    [{ id: 'acme', hosts: ['a'], limits: { max_replica_lag_ms: -1 } }],
    [{ id: 'acme', hosts: ['a'], limits: { max_nothing: 1 } }],
    [
      {
        id: 'acme',
        hosts: ['a'],
        placement: {
          kind: 'database',
          read_replica_url: 'postgres://u@h/d',
          read_replica_urls: ['postgres://u@i/d'],
        },
      },
    ],
    [{ id: 'acme', hosts: ['a'], require_api_key: 'yes' }],
    [{ id: 'acme', hosts: ['a'], postgrest: { 'db-schemas': ['public'] } }],
    [[]],
    [null],
  ])('%j is refused', (body) => {
    expect(CreateTenantInput.safeParse(body).success).toBe(false);
  });

  test.each([{ id: 'other' }, { status: 'moving' }, { epoch: 3 }])('PATCH does not take %j', (body) => {
    expect(UpdateTenantInput.safeParse(body).success).toBe(false);
  });
});

describe('jwt', () => {
  test.each([
    { secret: 'x'.repeat(32) },
    { secret_base64: Buffer.alloc(32).toString('base64') },
    { jwks: { keys: [{ kty: 'RSA', n: 'n', e: 'AQAB' }] } },
    { jwks: { kty: 'oct', k: 'AAAA' } },
    { jwks_url: 'https://example.com/jwks' },
    { jwks_url: 'http://127.0.0.1:9000/jwks' },
  ])('%j is taken', (jwt) => {
    expect(JwtInput.safeParse(jwt).success).toBe(true);
  });

  test.each([
    {},
    { secret: 'x'.repeat(31) },
    { secret: 'x'.repeat(32), jwks_url: 'https://example.com' },
    { secret_base64: 'AAAA' },
    { secret_base64: '!'.repeat(60) },
    { jwks: { keys: [] } },
    { jwks: { keys: [{}] } },
    { jwks_url: 'http://example.com/jwks' },
    { jwks_url: 'file:///etc/passwd' },
    { password: 'x' },
  ])('%j is refused', (jwt) => {
    expect(JwtInput.safeParse(jwt).success).toBe(false);
  });
});

describe('DSNs', () => {
  test.each([
    'postgres://u:p@h/d',
    'postgresql://u@h:5433/d?sslmode=require',
    'postgres://u@h/d?sslmode=verify-full&options=-c%20geqo%3Doff',
  ])('%s is one', (dsn) => {
    expect(problemOfDsn(dsn)).toBeUndefined();
  });

  test.each(['', 'mysql://u@h/d', 'postgres://h/d', 'postgres://u@h', 'postgres://u@h/', 'host=h dbname=d'])(
    '%j is none',
    (dsn) => {
      expect(problemOfDsn(dsn)).toBeDefined();
    },
  );

  test.each([
    'host=/run/postgresql',
    'host=169.254.169.254',
    'hostaddr=127.0.0.1',
    'port=6432',
    'sslrootcert=/etc/passwd',
    'sslmode=sometimes',
  ])('?%s is refused: it would lead elsewhere, or read a file of ours', (parameter) => {
    expect(problemOfDsn(`postgres://u:p@h/d?${parameter}`)).toBeDefined();
  });

  test('a CA needs a DSN that asks for TLS, and is a certificate without its key', () => {
    const problems = (placement: object) =>
      CreateTenantInput.safeParse({ id: 'a', hosts: ['a.example'], placement }).error?.issues.map(
        ({ message }) => message,
      );
    const remote = { kind: 'remote', remote_connection_string: 'postgres://u:p@h/d?sslmode=verify-full' };
    expect(problems(remote)).toBeUndefined();
    expect(problems({ ...remote, ca_certificate: 'x' })?.[0]).toMatch(/^holds no PEM certificate/);
    expect(problems({ ...remote, ca_certificate: '-----BEGIN PRIVATE KEY-----' })?.[0]).toMatch(
      /private key/,
    );
    expect(
      problems({
        ...remote,
        ca_certificate: '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----',
      })?.[0],
    ).toMatch(/cannot be read/);
    expect(
      problems({
        ...remote,
        remote_connection_string: 'postgres://u:p@h/d',
        ca_certificate: rootCertificates[0],
      })?.[0],
    ).toMatch(/sslmode=verify-full/);
  });
});
