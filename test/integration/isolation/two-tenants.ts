import {
  type AdminHarness,
  type Json,
  startAdminHarness,
} from '../../../admin-worker/test/support/admin-harness.ts';
import { createGatewayServer } from '../../../gateway/gateway-server.ts';
import { loadGatewayConfig } from '../../../gateway/platform/config.ts';
import { createMetrics } from '../../../gateway/platform/metrics.ts';
import { createServices } from '../../../gateway/services.ts';
import { type Answer, ask, type Question } from '../../../gateway/test/integration/support/ask.ts';

/** What must never be seen by anybody but its owner. */
export const MARKER = 'only-for-the-victim';

export interface TwoTenants {
  readonly admin: AdminHarness;
  /** Ids, which are the physical names' prefixes too. */
  readonly attacker: string;
  readonly victim: string;
  /** The key that a project's browsers have, for the role anon. */
  publishable(id: string): string;
  /** A request with the project's secret key, unless the headers have another. */
  call(id: string, path: string, question?: Question): Promise<Answer>;
  /** Has the attacker's own function run statements one after the other; the text of the last one's first value. */
  run(...statements: readonly string[]): Promise<Answer>;
  /** What the victim's next request finds on the connection. */
  traces(): Promise<unknown>;
  stop(): Promise<void>;
}

/** Both projects on one connection of one gateway, so that whatever the attacker leaves meets the victim. */
export async function startTwoTenants(): Promise<TwoTenants> {
  const admin = await startAdminHarness();
  const [attacker, victim] = [admin.tenantId('mallory'), admin.tenantId('bob')];
  const keys = new Map<string, string>();
  for (const id of [attacker, victim]) {
    const created = await admin.request('POST', '/v1/tenants', {
      body: { id, hosts: [`${id}.localhost`], postgrest: { 'cascata-batch-max-requests': 10 } },
    });
    if (created.status !== 201) throw new Error(created.text);
    keys.set(id, String(created.body.keys?.secret));
    keys.set(`${id} anon`, String(created.body.keys?.publishable));
  }
  await migrate(admin, victim, VICTIM_SQL);
  await migrate(admin, attacker, ATTACKER_SQL);
  const config = loadGatewayConfig(
    {
      CASCATA_ENV: 'test',
      CASCATA_MASTER_KEY: admin.masterKey.reveal(),
      CONTROL_DATABASE_URL: admin.controlUrl,
      GATEWAY_PORT: '0',
    },
    { pools: { poolSize: 1 } },
  );
  const metrics = createMetrics({ withProcessMetrics: false });
  const services = createServices(
    { ...config, sharedDatabase: admin.sharedDatabase },
    { observe: () => {}, metrics },
  );
  const server = createGatewayServer(services, () => {});
  const url = `http://127.0.0.1:${await server.listen()}`;
  const call: TwoTenants['call'] = (id, path, { headers, ...question } = {}) =>
    ask({ url, host: `${id}.localhost` }, `/rest/v1${path}`, {
      ...question,
      headers: { apikey: keys.get(id)!, 'content-type': 'application/json', ...headers },
    });
  return {
    admin,
    attacker,
    victim,
    publishable: (id) => keys.get(`${id} anon`)!,
    call,
    run: (...statements) =>
      call(attacker, '/rpc/run', { method: 'POST', body: JSON.stringify({ statements }) }),
    traces: async () => (await call(victim, '/rpc/traces', { method: 'POST', body: '{}' })).json,
    async stop() {
      await server.drain(AbortSignal.timeout(1_000));
      await services.close();
      await admin.stop();
    },
  };
}

/** @throws {Error} with the job when it did not complete */
export async function migrate(admin: AdminHarness, id: string, sql: string): Promise<Json> {
  const job = await admin.migrate(id, sql);
  if (String(job.state) !== 'completed') throw new Error(JSON.stringify(job));
  return job;
}

const VICTIM_SQL = `
  CREATE TABLE public.secrets (id int PRIMARY KEY, text text);
  INSERT INTO public.secrets VALUES (1, '${MARKER}');
  COMMENT ON TABLE public.secrets IS 'comment ${MARKER}';
  CREATE FUNCTION public.body() RETURNS text LANGUAGE sql AS $$ SELECT 'source ${MARKER}' $$;
  CREATE VIEW public.view AS SELECT 'view ${MARKER}' AS text;
  CREATE TABLE public.checked (id int CHECK (id <> 4711 OR 'check ${MARKER}' = ''), text text DEFAULT 'default ${MARKER}');
  CREATE INDEX ON public.checked (id) WHERE text = 'index ${MARKER}';
  ALTER TABLE public.checked ENABLE ROW LEVEL SECURITY;
  CREATE POLICY own ON public.checked USING (text = 'policy ${MARKER}');
  CREATE FUNCTION public.traces() RETURNS json LANGUAGE sql AS $$
    SELECT json_build_object(
      'role', current_user::text, 'session', session_user::text,
      'path', current_setting('search_path'), 'timeout', current_setting('statement_timeout'),
      'claims', current_setting('request.jwt.claims', true), 'work_mem', current_setting('work_mem'),
      'listening', (SELECT count(*) FROM pg_listening_channels()),
      'locks', (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()),
      'rows', (SELECT count(*) FROM secrets))
  $$;`;

const ATTACKER_SQL = `
  CREATE TABLE public.own (id int PRIMARY KEY, text text);
  INSERT INTO public.own VALUES (1, 'own');
  CREATE FUNCTION public.run(statements text[]) RETURNS text LANGUAGE plpgsql AS $$
  DECLARE
    statement text;
    result text;
    found record;
  BEGIN
    FOREACH statement IN ARRAY statements LOOP
      IF statement ILIKE 'SELECT %' AND statement NOT ILIKE '% INTO %' THEN EXECUTE statement INTO result;
      ELSE EXECUTE statement;
      END IF;
    END LOOP;
    RETURN result;
  END $$;`;
