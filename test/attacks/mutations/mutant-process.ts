import type { ApiServer } from '../../../admin-worker/api/api-server.ts';
import type { JobRunner } from '../../../admin-worker/runner/job-runner.ts';
import type { HttpServer } from '../../../gateway/http/http-server.ts';
import type { Services } from '../../../gateway/services.ts';
import type { FromMutants, OpenMutants, ToMutants } from './mutant-messages.ts';
import type { MutantGateway, SourceEdit } from './mutation.ts';
import { editSources } from './source-editor.ts';

/*
 * Gateway, admin API and job runner in one process, from edited sources; started by `startMutants`, told what to do by messages. What is
 * imported here is imported as a type only: the modules are loaded after the hooks are in place.
 */

/** In force all the time: what tests would have to wait for comes sooner, and what they need to see can be seen. */
const ALWAYS: readonly SourceEdit[] = [
  {
    file: 'gateway/execute/run-transaction.ts',
    part: 'const DEADLINE_GRACE_MS = 5_000;',
    instead: 'const DEADLINE_GRACE_MS = 200;',
  },
  {
    file: 'gateway/http/slow-readers.ts',
    part: 'const SWEEP_MS = 5_000;',
    instead: 'const SWEEP_MS = 100;',
  },
  {
    file: 'admin-worker/api/api-server.ts',
    part: 'addressOf: (context) => ',
    instead: `addressOf: (context) => context.req.header('x-test-address') ?? `,
  },
  {
    file: 'gateway/auth/api-key.ts',
    part: 'timingSafeEqual(stored, digest)',
    instead: '(globalThis.cascataSwitches.comparisons++, timingSafeEqual(stored, digest))',
  },
];

const AT_ONCE = 1_000;

interface Gateway {
  readonly services: Services;
  readonly server: HttpServer;
  readonly port: number;
}

interface Running {
  readonly switches: ReturnType<typeof editSources>;
  readonly api: ApiServer;
  readonly runner: JobRunner;
  readonly open: OpenMutants;
  gateway: Gateway;
}

let running: Running | undefined;

process.on('message', (message: ToMutants) => {
  handle(message).then(
    (answer) => process.send?.(answer),
    (error: unknown) => {
      const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
      process.send?.({ gatewayPort: 0, adminPort: 0, comparisons: 0, error: text } satisfies FromMutants);
    },
  );
});
process.once('disconnect', () => void close().finally(() => process.exit(0)));

async function handle(message: ToMutants): Promise<FromMutants> {
  if (message.kind === 'open') running = await open(message.open);
  if (running === undefined) throw new Error('not opened yet');
  if (message.kind === 'switch') {
    running.switches.off = message.off;
    if (message.gateway !== undefined) {
      await closeGateway(running.gateway);
      running.gateway = await openGateway(running.open, message.gateway);
    }
  }
  const { comparisons } = running.switches;
  running.switches.comparisons = 0;
  return { gatewayPort: running.gateway.port, adminPort: running.api.port, comparisons };
}

async function open(given: OpenMutants): Promise<Running> {
  const switches = editSources([...given.edits, [undefined, ALWAYS]]);
  const { startApiServer } = await import('../../../admin-worker/api/api-server.ts');
  const { startJobRunner } = await import('../../../admin-worker/runner/job-runner.ts');
  const { createMetrics } = await import('../../../gateway/platform/metrics.ts');
  const { Secret } = await import('../../../gateway/registry/secrets.ts');
  const common = {
    controlDatabaseUrl: new Secret(given.controlUrl),
    masterKey: new Secret(given.masterKey),
    sharedDatabase: given.sharedDatabase,
    remotes: { allowedNetworks: ['127.0.0.1/32', '::1/128'] },
    dataDir: given.dataDir,
    observe: () => undefined,
  };
  const api = await startApiServer({
    ...common,
    adminToken: new Secret(given.adminToken),
    host: '127.0.0.1',
    port: 0,
    metrics: createMetrics({ withProcessMetrics: false }),
    failureDelayMs: 1,
  });
  const runner = await startJobRunner({ ...common, jobRetentionDays: 30 });
  return { switches, api, runner, open: given, gateway: await openGateway(given, {}) };
}

async function openGateway(
  given: OpenMutants,
  { config: input = {}, isPooled = false }: MutantGateway,
): Promise<Gateway> {
  const { loadGatewayConfig } = await import('../../../gateway/platform/config.ts');
  const { createMetrics } = await import('../../../gateway/platform/metrics.ts');
  const { createServices } = await import('../../../gateway/services.ts');
  const { createGatewayServer } = await import('../../../gateway/gateway-server.ts');
  const { Secret } = await import('../../../gateway/registry/secrets.ts');
  const config = loadGatewayConfig(
    {
      CASCATA_ENV: 'test',
      CASCATA_MASTER_KEY: given.masterKey,
      CONTROL_DATABASE_URL: given.controlUrl,
      GATEWAY_PORT: '0',
    },
    { ...input, pools: { poolSize: 1, ...input.pools } },
  );
  const metrics = createMetrics({ withProcessMetrics: false });
  const services = createServices(
    {
      ...config,
      sharedDatabase: given.sharedDatabase,
      pgbouncerUrl: isPooled ? new Secret(given.sharedUrl) : undefined,
      keptAfterUses: 1,
    },
    { observe: metrics.observe, metrics },
  );
  const server = createGatewayServer(services, metrics.observe);
  return { services, server, port: await server.listen() };
}

async function closeGateway({ services, server }: Gateway): Promise<void> {
  await server.drain(AbortSignal.timeout(1));
  await services.close();
}

async function close(): Promise<void> {
  if (running === undefined) return;
  const { gateway, api, runner } = running;
  await closeGateway(gateway);
  await runner.stop(AbortSignal.timeout(AT_ONCE));
  await api.drain(AbortSignal.timeout(1));
  await api.close();
}
