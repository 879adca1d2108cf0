import { expect, test } from 'vitest';
import { createMetrics } from '../../../platform/metrics.ts';
import { type Observation, STAGES } from '../../../platform/observation.ts';
import { combineObservers } from '../../../platform/observer.ts';

const FINISHED = {
  kind: 'request-finished',
  requestId: 'r1',
  tenantId: 'acme',
  method: 'GET',
  route: '/rest/v1/:relation',
  status: 200,
  errorCode: undefined,
  upstream: 'shared',
  rows: 3,
  durationMs: 2,
  stages: STAGES.map((stage) => (stage === 'plan' ? 0.04 : Number.NaN)),
} as const satisfies Observation;

async function render(...observations: readonly Observation[]): Promise<string[]> {
  const metrics = createMetrics({ withProcessMetrics: false });
  for (const observation of observations) metrics.observe(observation);
  return (await metrics.render()).split('\n');
}

test('requests are counted by method, route and status, errors by code', async () => {
  const lines = await render(FINISHED, FINISHED, { ...FINISHED, status: 404, errorCode: 'PGRST205' });
  expect(lines).toContain('cascata_requests_total{method="GET",route="/rest/v1/:relation",status="200"} 2');
  expect(lines).toContain('cascata_requests_total{method="GET",route="/rest/v1/:relation",status="404"} 1');
  expect(lines).toContain('cascata_request_errors_total{code="PGRST205"} 1');
});

test('durations are cumulative buckets in seconds', async () => {
  const name = 'cascata_request_duration_seconds';
  const labels = 'method="GET",route="/rest/v1/:relation"';
  const lines = await render(FINISHED, { ...FINISHED, durationMs: 60_000 });
  expect(lines.filter((line) => line.startsWith(name))).toEqual([
    `${name}_bucket{${labels},le="0.001"} 0`,
    ...['0.0025', '0.005', '0.01', '0.025', '0.05', '0.1', '0.25', '0.5', '1', '2.5', '5', '10'].map(
      (bound) => `${name}_bucket{${labels},le="${bound}"} 1`,
    ),
    `${name}_bucket{${labels},le="+Inf"} 2`,
    `${name}_sum{${labels}} 60.002`,
    `${name}_count{${labels}} 2`,
  ]);
  expect(lines).toContain('cascata_stage_duration_seconds_bucket{stage="plan",le="0.00005"} 2');
});

test('no series names a tenant', async () => {
  const lines = await render(
    FINISHED,
    { kind: 'schema-cache-loaded', tenantId: 'acme', durationMs: 5, relations: 3, sizeBytes: 9_000 },
    { kind: 'schema-cache-evicted', tenantId: 'acme', sizeBytes: 9_000 },
    { kind: 'upstream-failed', tenantId: 'acme', upstream: 'remote:acme', cause: undefined },
    { kind: 'pool-opened', upstream: 'remote:acme' },
    { kind: 'pool-closed', upstream: 'remote:acme', reason: 'evicted' },
  );
  expect(lines.filter((line) => line.includes('acme'))).toEqual([]);
});

test('caches, pools, the registry and jobs are counted', async () => {
  const lines = await render(
    { kind: 'tenant-cache', outcome: 'stale' },
    { kind: 'jwt-cache', outcome: 'hit' },
    { kind: 'jwt-cache', outcome: 'eviction' },
    { kind: 'pool-opened', upstream: 'shared' },
    { kind: 'registry-unreachable', cause: undefined },
    { kind: 'registry-listener', state: 'lost' },
    { kind: 'schema-cache-failed', tenantId: 'acme', cause: undefined },
    { kind: 'schema-cache-evicted', tenantId: 'acme', sizeBytes: 9_000 },
    { kind: 'job-changed', jobId: 'j', job: 'apply-migrations', state: 'completed' },
  );
  for (const line of [
    'cascata_tenant_cache_total{outcome="stale"} 1',
    'cascata_jwt_cache_total{outcome="hit"} 1',
    'cascata_jwt_cache_evictions_total 1',
    'cascata_pool_changes_total{change="opened"} 1',
    'cascata_registry_unreachable_total 1',
    'cascata_registry_listener_total{state="lost"} 1',
    'cascata_schema_cache_loads_total{outcome="failed"} 1',
    'cascata_schema_cache_evictions_total 1',
    'cascata_job_changes_total{job="apply-migrations",state="completed"} 1',
  ]) {
    expect(lines).toContain(line);
  }
});

test('a gauge is read when the metrics are', async () => {
  const metrics = createMetrics({ withProcessMetrics: false });
  let open = 1;
  metrics.gauge('cascata_pool_connections', 'Open connections.', () => open);
  open = 7;
  expect((await metrics.render()).split('\n')).toContain('cascata_pool_connections 7');
});

test('sizes are told by how many are at most so large, read when the metrics are', async () => {
  const metrics = createMetrics({ withProcessMetrics: false });
  let sizes = [10];
  metrics.sizes('cascata_things_by_size', 'Things.', { bounds: [10, 100], collect: () => sizes });
  await metrics.render();
  sizes = [5, 50, 500];
  const lines = (await metrics.render()).split('\n').filter((line) => line.startsWith('cascata_things'));
  expect(lines).toEqual([
    'cascata_things_by_size{le="10"} 1',
    'cascata_things_by_size{le="100"} 2',
    'cascata_things_by_size{le="+Inf"} 3',
  ]);
});

test('process metrics come with the rest, in the text format', async () => {
  const metrics = createMetrics();
  expect(await metrics.render()).toContain('process_resident_memory_bytes');
  expect(metrics.contentType).toContain('text/plain');
});

test('label values are escaped', async () => {
  const lines = await render({ ...FINISHED, route: 'a"b\\c\nd' });
  expect(lines).toContain('cascata_requests_total{method="GET",route="a\\"b\\\\c\\nd",status="200"} 1');
});

test('an observer hands observations to all its consumers in order', () => {
  const heard: string[] = [];
  const observe = combineObservers(
    ({ kind }) => heard.push(`log ${kind}`),
    ({ kind }) => heard.push(`count ${kind}`),
  );
  observe({ kind: 'pool-opened', upstream: 'shared' });
  expect(heard).toEqual(['log pool-opened', 'count pool-opened']);
});
