import { readFile } from 'node:fs/promises';
import { startAdminHarness } from '../../../admin-worker/test/support/admin-harness.ts';
import { createGatewayServer } from '../../../gateway/gateway-server.ts';
import { loadGatewayConfig } from '../../../gateway/platform/config.ts';
import { createMetrics } from '../../../gateway/platform/metrics.ts';
import { createServices } from '../../../gateway/services.ts';

/** A tenant with the tests' whole fixture, in which every text carries the marker. */
export interface FuzzTenant {
  readonly id: string;
  readonly marker: string;
  readonly apikeys: readonly string[];
}

export interface FuzzStage {
  readonly port: number;
  readonly tenants: readonly [FuzzTenant, FuzzTenant];
  /** Puts all rows back. */
  reseed(): Promise<void>;
  /** Sessions of the pool and what they are doing. */
  sessions(): Promise<readonly string[]>;
  metrics(): Promise<string>;
  stop(): Promise<void>;
}

/** Two sealed tenants of one database, with the same objects, and their own data. */
export async function openFuzzStage(): Promise<FuzzStage> {
  const admin = await startAdminHarness();
  const fixture = await readFile(
    new URL('../../../gateway/test/support/fixture.sql', import.meta.url),
    'utf8',
  );
  const tenants: FuzzTenant[] = [];
  for (const name of ['ann', 'ben']) {
    const id = admin.tenantId(name);
    const postgrest = {
      'db-schemas': 'test,v1',
      'db-tx-end': 'commit-allow-override',
      'db-aggregates-enabled': true,
      'db-plan-enabled': true,
    };
    const body = { id, hosts: [`${id}.localhost`], postgrest };
    const created = await admin.request('POST', '/v1/tenants', { body });
    if (created.status !== 201) throw new Error(created.text);
    const marker = `marker-of-${name}`;
    await admin.shared(
      `BEGIN; ${physicalFixture(fixture, id)}; ${markSql(id, marker)}; ${keepSql(id)}; COMMIT`,
    );
    const { publishable, secret } = created.body.keys ?? {};
    tenants.push({ id, marker, apikeys: [String(secret), String(publishable)] });
  }
  const config = loadGatewayConfig(
    {
      CASCATA_ENV: 'test',
      CASCATA_MASTER_KEY: admin.masterKey.reveal(),
      CONTROL_DATABASE_URL: admin.controlUrl,
      GATEWAY_PORT: '0',
    },
    { pools: { poolSize: 4 } },
  );
  const metrics = createMetrics({ withProcessMetrics: false });
  const { observe } = metrics;
  const services = createServices({ ...config, sharedDatabase: admin.sharedDatabase }, { observe, metrics });
  const server = createGatewayServer(services, observe);
  const [ann, ben] = tenants as [FuzzTenant, FuzzTenant];
  return {
    port: await server.listen(),
    tenants: [ann, ben],
    reseed: async () => {
      for (const { id } of tenants) await admin.shared(reseedSql(id));
    },
    sessions: async () => {
      const rows = await admin.shared<{ state: string }>(
        `SELECT state FROM pg_stat_activity WHERE datname = current_database() AND usename = 'cascata_sealed'`,
      );
      return rows.map(({ state }) => state);
    },
    metrics: () => metrics.render(),
    async stop() {
      await server.drain(AbortSignal.timeout(1_000));
      await services.close();
      await admin.stop();
    },
  };
}

/** The fixture under the names that the tenant has in the shared database. */
function physicalFixture(fixture: string, id: string): string {
  const withoutRoles = fixture
    .replace(/DO \$roles\$[\s\S]*?\$roles\$;/, '')
    .replace(/\$roles\$[\s\S]*?\$roles\$;/, '');
  return withoutRoles
    .replace(/\b(test|v1|v2|private)\b(?=\.[\w"*]|;|,| TO|\n| IS|$)/g, `${id}_$1`)
    .replace(/\b(anon|authenticated|service_role)\b/g, `${id}_$1`)
    .replaceAll('CREATE SCHEMA ', 'CREATE SCHEMA IF NOT EXISTS ');
}

const TABLES = (id: string): string =>
  `SELECT c.oid::regclass AS name, c.oid FROM pg_class c WHERE c.relkind = 'r' AND c.relnamespace = '${id}_test'::regnamespace`;

/** Every text gets the marker, where its constraints let it. */
function markSql(id: string, marker: string): string {
  return `DO $mark$
    DECLARE cell record;
    BEGIN
      FOR cell IN SELECT t.name, a.attname FROM (${TABLES(id)}) t JOIN pg_attribute a ON a.attrelid = t.oid
        WHERE a.attnum > 0 AND NOT a.attisdropped AND a.atttypid = 'text'::regtype AND a.attgenerated = ''
      LOOP
        BEGIN
          EXECUTE format('UPDATE %s SET %2$I = %2$I || ''${marker}''', cell.name, cell.attname);
        EXCEPTION WHEN integrity_constraint_violation OR raise_exception THEN NULL;
        END;
      END LOOP;
    END $mark$`;
}

function keepSql(id: string): string {
  return `CREATE SCHEMA ${id}_kept; DO $keep$
    DECLARE t record;
    BEGIN
      FOR t IN ${TABLES(id)} LOOP
        EXECUTE format('CREATE TABLE ${id}_kept.%I AS TABLE %s', (SELECT relname FROM pg_class WHERE oid = t.oid), t.name);
      END LOOP;
    END $keep$`;
}

function reseedSql(id: string): string {
  return `BEGIN; SET LOCAL session_replication_role = replica; SET LOCAL client_min_messages = error; DO $seed$
    DECLARE t record;
    DECLARE columns text;
    BEGIN
      FOR t IN ${TABLES(id)} LOOP
        SELECT string_agg(quote_ident(attname), ', ') INTO columns FROM pg_attribute
          WHERE attrelid = t.oid AND attnum > 0 AND NOT attisdropped AND attgenerated = '';
        CONTINUE WHEN columns IS NULL;
        EXECUTE format('DELETE FROM %s', t.name);
        EXECUTE format('INSERT INTO %s (%2$s) OVERRIDING SYSTEM VALUE SELECT %2$s FROM ${id}_kept.%3$I', t.name, columns, (SELECT relname FROM pg_class WHERE oid = t.oid));
      END LOOP;
    END $seed$; COMMIT`;
}
