import { describe, expect, test } from 'vitest';
import { seal } from '../../../registry/sealing.ts';
import { Secret } from '../../../registry/secrets.ts';
import { tenantFromRow, tenantSealContext } from '../../../registry/tenant-row.ts';

const masterKey = new Secret('0123456789abcdef0123456789abcdef');

function aRow(changes: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    id: 'acme',
    status: 'active',
    placement_kind: 'shared',
    database_name: null,
    sealed_connection_string: null,
    sealed_read_replica_url: null,
    ca_certificate: null,
    forward_url: null,
    forward_ca_certificate: null,
    isolation: 'trusted',
    epoch: 1,
    schema_prefix: 'acme',
    role_prefix: 'acme',
    jwt_kind: 'none',
    sealed_jwt: null,
    jwks_url: null,
    require_api_key: false,
    max_in_flight: null,
    statement_timeout_ms: 5000,
    max_body_bytes: null,
    max_queue: null,
    max_queue_wait_ms: null,
    requests_per_second: null,
    max_header_bytes: null,
    max_rows: null,
    max_replica_lag_ms: null,
    postgrest: { 'db-max-rows': 10 },
    hosts: ['acme.localhost'],
    api_keys: [{ kind: 'secret', role: 'service_role', sha256: 'ab' }],
    ...changes,
  };
}

function sealed(column: 'jwt' | 'connection_string' | 'read_replica_url', value: string): string {
  return seal(value, { masterKey, context: tenantSealContext('acme', column) });
}

describe('tenantFromRow', () => {
  test('gives a whole tenant', () => {
    const tenant = tenantFromRow(aRow(), 'r1', masterKey);
    expect(tenant).toMatchObject({
      id: 'acme',
      status: 'active',
      hosts: ['acme.localhost'],
      placement: { kind: 'shared' },
      isolation: 'trusted',
      epoch: 1,
      revision: 'r1',
      naming: { schemaPrefix: 'acme', rolePrefix: 'acme' },
      jwt: { kind: 'none' },
      requireApiKey: false,
      apiKeys: [{ kind: 'secret', role: 'service_role', sha256: 'ab' }],
      limits: { maxInFlight: undefined, statementTimeoutMs: 5000, maxBodyBytes: undefined },
    });
    expect(tenant.settings.dbMaxRows).toBe(10);
  });

  test('opens sealed values, which print as redacted', () => {
    const tenant = tenantFromRow(
      aRow({
        placement_kind: 'remote',
        sealed_connection_string: sealed('connection_string', 'postgres://primary'),
        sealed_read_replica_url: sealed('read_replica_url', 'postgres://replica'),
        ca_certificate: 'PEM',
        jwt_kind: 'secret',
        sealed_jwt: sealed('jwt', 'the secret'),
      }),
      'r1',
      masterKey,
    );
    const { placement, jwt } = tenant;
    if (placement.kind !== 'remote' || jwt.kind !== 'secret') throw new Error('not what the row says');
    expect(placement.remoteConnectionString.reveal()).toBe('postgres://primary');
    expect(placement.readReplicaUrls.map((url) => url.reveal())).toEqual(['postgres://replica']);
    expect(placement.caCertificate).toBe('PEM');
    expect(Buffer.from(jwt.secret.reveal()).toString()).toBe('the secret');
    expect(JSON.stringify(tenant)).not.toMatch(/primary|replica:|the secret/);
  });

  test('says where requests of a tenant that has moved go, and of no other tenant', () => {
    const forwarded = { status: 'forwarded', forward_url: 'https://b.example.com' };
    expect(tenantFromRow(aRow(forwarded), 'r1', masterKey).forward).toEqual({
      url: 'https://b.example.com',
      caCertificate: undefined,
    });
    expect(tenantFromRow(aRow(), 'r1', masterKey).forward).toBeUndefined();
  });

  test('a value that was sealed for another tenant does not open', () => {
    const foreign = seal('x', { masterKey, context: tenantSealContext('globex', 'jwt') });
    expect(() => tenantFromRow(aRow({ jwt_kind: 'secret', sealed_jwt: foreign }), 'r1', masterKey)).toThrow(
      "The sealed value 'tenants/acme/jwt' cannot be opened",
    );
  });

  test('a row this code does not know is refused', () => {
    expect(() => tenantFromRow(aRow({ surprise: 1 }), 'r1', masterKey)).toThrow();
    expect(() => tenantFromRow(aRow({ jwt_kind: 'secret' }), 'r1', masterKey)).toThrow(
      'control.tenants.sealed_jwt',
    );
  });
});
