import type { TargetName } from './arguments.ts';

/** One target in one scenario: medians over the rounds. */
export interface Measurement {
  readonly scenario: string;
  readonly target: TargetName;
  readonly requestsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** CPU time per request of the server's own process tree, of PgBouncer's and of PostgreSQL's, in microseconds. */
  readonly serverCpuUs: number;
  readonly poolerCpuUs: number;
  readonly postgresCpuUs: number;
  /** Of all rounds together. */
  readonly failures: number;
}

export interface Ratios {
  readonly scenario: string;
  /** CPU per request, gateway + PostgreSQL, against the floor's. Lower is better. */
  readonly cpuToFloor: number | undefined;
  /** CPU per request of the server process alone, against the floor's. Lower is better. */
  readonly serverCpuToFloor: number | undefined;
  /** Requests per second against the floor's. Higher is better. */
  readonly throughputToFloor: number | undefined;
  /** Requests per second against PostgREST's. Higher is better. */
  readonly throughputToPostgrest: number | undefined;
}

export function ratiosOf(measurements: readonly Measurement[]): readonly Ratios[] {
  return [...new Set(measurements.map(({ scenario }) => scenario))].map((scenario) => {
    const find = (target: TargetName) =>
      measurements.find((measurement) => measurement.scenario === scenario && measurement.target === target);
    const [floor, gateway, postgrest] = [find('floor'), find('gateway'), find('postgrest')];
    return {
      scenario,
      cpuToFloor: gateway && floor && totalCpuUs(gateway) / totalCpuUs(floor),
      serverCpuToFloor: gateway && floor && gateway.serverCpuUs / floor.serverCpuUs,
      throughputToFloor: gateway && floor && gateway.requestsPerSecond / floor.requestsPerSecond,
      throughputToPostgrest: gateway && postgrest && gateway.requestsPerSecond / postgrest.requestsPerSecond,
    };
  });
}

export function renderReport(measurements: readonly Measurement[]): string {
  const header = [
    'scenario',
    'target',
    'requests/s',
    'p50 ms',
    'p99 ms',
    'server µs',
    'pgbouncer µs',
    'postgres µs',
    'sum µs',
    'failures',
  ];
  const rows = measurements.map((measurement) => [
    measurement.scenario,
    measurement.target,
    measurement.requestsPerSecond.toFixed(0),
    measurement.p50Ms.toFixed(2),
    measurement.p99Ms.toFixed(2),
    measurement.serverCpuUs.toFixed(0),
    measurement.poolerCpuUs.toFixed(0),
    measurement.postgresCpuUs.toFixed(0),
    totalCpuUs(measurement).toFixed(0),
    String(measurement.failures),
  ]);
  const ratios = ratiosOf(measurements).flatMap((ratio) => {
    const line = (what: string, value: number | undefined, of: string): readonly string[] =>
      value === undefined ? [] : [`${ratio.scenario}: ${what} ${value.toFixed(2)} × ${of}`];
    return [
      ...line('CPU per request, server + PostgreSQL, is', ratio.cpuToFloor, 'the floor'),
      ...line('CPU per request of the server alone is', ratio.serverCpuToFloor, 'the floor'),
      ...line('requests/s are', ratio.throughputToFloor, 'the floor'),
      ...line('requests/s are', ratio.throughputToPostgrest, 'PostgREST'),
    ];
  });
  return [...alignColumns([header, ...rows]), '', ...ratios].join('\n');
}

function totalCpuUs({ serverCpuUs, poolerCpuUs, postgresCpuUs }: Measurement): number {
  return serverCpuUs + poolerCpuUs + postgresCpuUs;
}

/** The first two columns to the left, the others to the right. */
export function alignColumns(rows: readonly (readonly string[])[]): readonly string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((cell, column) =>
        column < 2 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
      )
      .join('  '),
  );
}
