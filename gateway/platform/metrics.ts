import { collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import {
  CounterFamily,
  type CounterSeries,
  HistogramFamily,
  type HistogramSeries,
} from './metric-families.ts';
import { type Observation, type Observe, STAGES } from './observation.ts';

/** Upper bounds in seconds: a cached read takes about 1 ms, a statement timeout several seconds. */
const REQUEST_BOUNDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const STAGE_BOUNDS = [0.000_05, 0.0001, 0.000_25, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 1, 5];

export interface Metrics {
  readonly observe: Observe;
  /** Registers a gauge that is read when the metrics are. */
  gauge(name: string, help: string, collect: () => number): void;
  /**
   * Registers a gauge of how many things of a kind there are by size, read when the metrics are: with the label `le`, how many are at most
   * so large, and `+Inf` for all.
   */
  sizes(
    name: string,
    help: string,
    options: { bounds: readonly number[]; collect: () => Iterable<number> },
  ): void;
  /** The text a `/metrics` endpoint answers with. */
  render(): Promise<string>;
  readonly contentType: string;
}

export interface MetricsOptions {
  /** Memory, CPU, event loop and garbage collection of the process. Default: true. */
  readonly withProcessMetrics?: boolean;
}

/** Metrics in Prometheus' text format. No label holds a tenant's name: a thousand tenants must not mean a thousand series. */
export function createMetrics({ withProcessMetrics = true }: MetricsOptions = {}): Metrics {
  const registry = new Registry();
  if (withProcessMetrics) collectDefaultMetrics({ register: registry });
  const families = createFamilies();
  // Hardly ever raised: without a first value nobody would know that it is there.
  families.tokenEvictions.series();
  const perRequest = createPerRequest(families);
  return {
    observe: (observation) => count(observation, families, perRequest),
    gauge(name, help, collect) {
      const gauge: Gauge = new Gauge({
        name,
        help,
        registers: [registry],
        collect: () => gauge.set(collect()),
      });
    },
    sizes(name, help, { bounds, collect }) {
      const gauge: Gauge<'le'> = new Gauge({
        name,
        help,
        labelNames: ['le'],
        registers: [registry],
        collect() {
          const values = [...collect()];
          for (const bound of [...bounds, Number.POSITIVE_INFINITY]) {
            const le = bound === Number.POSITIVE_INFINITY ? '+Inf' : String(bound);
            gauge.set({ le }, values.filter((value) => value <= bound).length);
          }
        },
      });
    },
    async render() {
      const hot = Object.values(families).map((family) => family.render());
      return hot.join('') + (await registry.metrics());
    },
    contentType: registry.contentType,
  };
}

type Families = ReturnType<typeof createFamilies>;

function createFamilies() {
  const counter = (name: string, help: string, labels: readonly string[]) =>
    new CounterFamily(name, help, labels);
  return {
    requests: counter('cascata_requests_total', 'Requests by method, route pattern and status.', [
      'method',
      'route',
      'status',
    ]),
    requestErrors: counter('cascata_request_errors_total', 'Requests answered with an error, by its code.', [
      'code',
    ]),
    requestDuration: new HistogramFamily(
      'cascata_request_duration_seconds',
      'Time from request to response.',
      {
        labels: ['method', 'route'],
        bounds: REQUEST_BOUNDS,
      },
    ),
    stageDuration: new HistogramFamily(
      'cascata_stage_duration_seconds',
      'Time of one stage of the pipeline.',
      {
        labels: ['stage'],
        bounds: STAGE_BOUNDS,
      },
    ),
    tenantCache: counter('cascata_tenant_cache_total', 'Look-ups of tenants by outcome.', ['outcome']),
    tokenCache: counter('cascata_jwt_cache_total', 'Verifications of tokens by outcome.', ['outcome']),
    tokenEvictions: counter(
      'cascata_jwt_cache_evictions_total',
      'Verified tokens that made room for others.',
      [],
    ),
    registryErrors: counter('cascata_registry_unreachable_total', 'Failed reads of the tenant registry.', []),
    registryListener: counter('cascata_registry_listener_total', 'Changes of the registry listener.', [
      'state',
    ]),
    schemaLoads: counter('cascata_schema_cache_loads_total', 'Loads of schema caches by outcome.', [
      'outcome',
    ]),
    schemaEvictions: counter(
      'cascata_schema_cache_evictions_total',
      'Schema caches pushed out by others for want of room.',
      [],
    ),
    schemaLoadDuration: new HistogramFamily(
      'cascata_schema_cache_load_seconds',
      'Time to load a schema cache.',
      {
        labels: [],
        bounds: REQUEST_BOUNDS,
      },
    ),
    ignoredSettings: counter(
      'cascata_ignored_settings_total',
      'Readings of settings in a database that could not all be used.',
      [],
    ),
    schemaListeners: counter('cascata_schema_listener_total', 'Changes of listeners on the channel pgrst.', [
      'state',
    ]),
    pools: counter('cascata_pool_changes_total', 'Pools opened and closed.', ['change']),
    upstreamErrors: counter('cascata_upstream_errors_total', 'Upstreams that could not be used.', []),
    breakers: counter('cascata_upstream_breaker_total', 'Changes of circuit breakers by new state.', [
      'state',
    ]),
    forwarded: counter(
      'cascata_forwarded_requests_total',
      'Requests sent on to the installation that their tenant has moved to, by what became of them.',
      ['outcome'],
    ),
    pgbouncer: counter('cascata_pgbouncer_configurations_total', 'Configurations written for PgBouncer.', [
      'outcome',
    ]),
    jobs: counter('cascata_job_changes_total', 'Changes of jobs by kind and new state.', ['job', 'state']),
  };
}

function count(observation: Observation, families: Families, perRequest: PerRequest): void {
  switch (observation.kind) {
    case 'request-finished':
      countRequest(observation, families, perRequest);
      break;
    case 'tenant-cache':
      if (observation.outcome === 'hit') perRequest.tenantHits.value++;
      else families.tenantCache.increment(observation.outcome);
      break;
    case 'jwt-cache':
      if (observation.outcome === 'hit') perRequest.tokenHits.value++;
      else if (observation.outcome === 'eviction') families.tokenEvictions.increment();
      else families.tokenCache.increment(observation.outcome);
      break;
    case 'registry-unreachable':
      families.registryErrors.increment();
      break;
    case 'registry-listener':
      families.registryListener.increment(observation.state);
      break;
    case 'schema-cache-loaded':
      families.schemaLoads.increment('loaded');
      families.schemaLoadDuration.observe(observation.durationMs / 1000);
      break;
    case 'schema-cache-failed':
      families.schemaLoads.increment('failed');
      break;
    case 'schema-cache-evicted':
      families.schemaEvictions.increment();
      break;
    case 'settings-ignored':
      families.ignoredSettings.increment();
      break;
    case 'schema-listener':
      families.schemaListeners.increment(observation.state);
      break;
    case 'pool-opened':
      families.pools.increment('opened');
      break;
    case 'pool-closed':
      families.pools.increment('closed');
      break;
    case 'upstream-failed':
      families.upstreamErrors.increment();
      break;
    case 'upstream-breaker':
      families.breakers.increment(observation.state);
      break;
    case 'request-forwarded':
      families.forwarded.increment(observation.outcome);
      break;
    case 'pgbouncer-configured':
      families.pgbouncer.increment(observation.cause === undefined ? 'loaded' : 'failed');
      break;
    case 'job-changed':
      families.jobs.increment(observation.job, observation.state);
      break;
    case 'process-started':
    case 'process-stopping':
    case 'process-failed':
    case 'request-failed': // Its `request-finished` follows and is counted with its code.
      break;
    default:
      observation satisfies never;
  }
}

/** Series that every request adds to, found without joining label values into a key each time. */
interface PerRequest {
  readonly tenantHits: CounterSeries;
  readonly tokenHits: CounterSeries;
  /** Route → method → series. */
  readonly routes: Map<string, Map<string, RouteSeries>>;
  /** As `STAGES`. */
  readonly stages: readonly HistogramSeries[];
}

interface RouteSeries {
  readonly byStatus: Map<number, CounterSeries>;
  readonly duration: HistogramSeries;
}

function createPerRequest(families: Families): PerRequest {
  return {
    tenantHits: families.tenantCache.series('hit'),
    tokenHits: families.tokenCache.series('hit'),
    routes: new Map(),
    stages: STAGES.map((stage) => families.stageDuration.series(stage)),
  };
}

function countRequest(
  request: Extract<Observation, { kind: 'request-finished' }>,
  families: Families,
  perRequest: PerRequest,
): void {
  const { method, route, status, errorCode, durationMs, stages } = request;
  const series = routeSeries(perRequest, { families, route, method });
  let count = series.byStatus.get(status);
  if (count === undefined) {
    count = families.requests.series(method, route, String(status));
    series.byStatus.set(status, count);
  }
  count.value++;
  if (errorCode !== undefined) families.requestErrors.increment(errorCode);
  series.duration.observe(durationMs / 1000);
  for (let i = 0; i < stages.length; i++) {
    const ms = stages[i]!;
    if (!Number.isNaN(ms)) perRequest.stages[i]!.observe(ms / 1000);
  }
}

function routeSeries(
  { routes }: PerRequest,
  {
    families,
    route,
    method,
  }: { readonly families: Families; readonly route: string; readonly method: string },
): RouteSeries {
  let byMethod = routes.get(route);
  if (byMethod === undefined) {
    byMethod = new Map();
    routes.set(route, byMethod);
  }
  let series = byMethod.get(method);
  if (series === undefined) {
    series = { byStatus: new Map(), duration: families.requestDuration.series(method, route) };
    byMethod.set(method, series);
  }
  return series;
}
