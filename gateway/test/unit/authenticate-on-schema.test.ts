import { SignJWT } from 'jose';
import { describe, expect, test } from 'vitest';
import { Authenticator } from '../../auth/authenticate.ts';
import { authenticateOnSchema } from '../../authenticate-on-schema.ts';
import { RequestTrace } from '../../http/request-trace.ts';
import type { PostgrestRecord } from '../../registry/postgrest-settings.ts';
import type { SchemaCache } from '../../schema-cache/schema-cache.ts';
import { SchemaCacheStore } from '../../schema-cache/schema-cache-store.ts';
import { aSchemaCache } from '../support/schema-cache-builder.ts';
import { aTenant, TEST_SECRET } from '../support/tenant-builder.ts';

const EMPTY = aSchemaCache({ tables: [] });

function sign(claims: Record<string, unknown>): Promise<string> {
  return new SignJWT(claims).setProtectedHeader({ alg: 'HS256' }).sign(new TextEncoder().encode(TEST_SECRET));
}

/** A tenant whose database says `databaseSettings`, or cannot be read. */
function aGateway(databaseSettings: PostgrestRecord | 'down', postgrest: PostgrestRecord = {}) {
  let readings = 0;
  const schemaCaches = new SchemaCacheStore({
    load: async (): Promise<SchemaCache> => {
      readings++;
      if (databaseSettings === 'down') throw new Error('no catalog today');
      return { ...EMPTY, databaseSettings };
    },
    maxBytes: 1_000_000,
    maxAgeMs: 3_600_000,
    observe: () => undefined,
  });
  const authenticator = new Authenticator({
    observe: () => undefined,
    maxVerifiedTokens: 10,
    maxTenants: 10,
  });
  const tenant = aTenant({ postgrest });
  const ask = async (token?: string) => {
    const trace = new RequestTrace({ requestId: 'r', method: 'GET', route: '/' });
    const credentials = { authorization: token && `Bearer ${token}`, apikey: undefined };
    const http = { signal: new AbortController().signal };
    const services = { authenticator, schemaCaches };
    try {
      const known = await authenticateOnSchema(credentials, tenant, services, { http, trace });
      return { role: known.auth.physicalRole, settings: known.tenant.settings, trace };
    } catch (error) {
      return { code: error instanceof Error && 'code' in error ? error.code : error };
    }
  };
  return { ask, tenant, readings: () => readings };
}

describe('settings of the database', () => {
  test('hold for the first request and for those after it', async () => {
    const { ask } = aGateway({
      'db-anon-role': 'service_role',
      'jwt-aud': 'here',
      'jwt-role-claim-key': '$.part',
    });
    const good = await sign({ part: 'authenticated', aud: 'here' });
    const foreign = await sign({ part: 'authenticated', aud: 'elsewhere' });
    for (const _time of ['first', 'second']) {
      expect(await ask()).toMatchObject({ role: 'acme_service_role', settings: { jwtAud: 'here' } });
      expect(await ask(good)).toMatchObject({ role: 'acme_authenticated' });
      expect(await ask(foreign)).toEqual({ code: 'PGRST303' });
    }
  });

  test('let in whom the registry alone would refuse, from the first request on', async () => {
    const token = await sign({ role: 'authenticated', aud: 'here' });
    const { ask } = aGateway(
      { 'db-anon-role': 'service_role', 'jwt-aud': 'here' },
      { 'db-anon-role': null, 'jwt-aud': 'x' },
    );
    expect(await ask(token)).toMatchObject({ role: 'acme_authenticated' });
    expect(await ask()).toMatchObject({ role: 'acme_service_role' });
  });

  test('that are none leave the tenant as it is', async () => {
    const { ask, tenant } = aGateway({});
    const { trace } = await ask();
    expect(trace?.tenant).toBe(tenant);
  });
});

describe('trap 8: a refused token is told before a catalog that cannot be read', () => {
  test('whether settings could change that or not', async () => {
    const { ask } = aGateway('down', { 'db-anon-role': null });
    expect(await ask('no.good.token')).toEqual({ code: 'PGRST301' });
    expect(await ask(await sign({ role: 'authenticated', exp: 1 }))).toEqual({ code: 'PGRST303' });
    expect(await ask()).toEqual({ code: 'PGRST302' });
    expect(await ask(await sign({ role: 'authenticated' }))).toEqual({ code: 'PGRST002' });
  });

  test('and a token that nothing could make good reads no catalog', async () => {
    const { ask, readings } = aGateway({});
    expect(await ask('no.good.token')).toEqual({ code: 'PGRST301' });
    expect(readings()).toBe(0);
  });
});
