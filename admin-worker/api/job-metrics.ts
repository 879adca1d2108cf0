import type { Pool } from 'pg';
import { bundleRecords } from '../extensions/bundle-records.ts';

/** Upper bounds in seconds, the same as in the trigger `control.count_job()`. */
const BOUNDS = [0.1, 0.5, 1, 5, 15, 60, 300, 1800, 7200, 21_600];

/**
 * Metrics of all jobs and of what they brought into the server, from the control database: every API process shows the same, whoever ran the jobs, so take the maximum over
 * processes and not the sum.
 */
export async function renderJobMetrics(control: Pool): Promise<string> {
  const [totals, present, bundles] = await Promise.all([
    control.query<TotalsRow>(
      'SELECT name, state, jobs, seconds, buckets FROM control.job_totals ORDER BY name, state',
    ),
    control.query<PresentRow>(
      `SELECT name, state, count(*) AS jobs, EXTRACT(EPOCH FROM now() - min(created_at))::float8 AS oldest
       FROM control.jobs WHERE state IN ('queued', 'active') GROUP BY name, state ORDER BY name, state`,
    ),
    bundleRecords(control),
  ]);
  return [
    family('cascata_jobs', 'gauge', 'Jobs that wait or are at work, by kind.', [
      ...present.rows.map(({ name, state, jobs }) => `cascata_jobs{${labels(name, state)}} ${jobs}`),
    ]),
    family('cascata_jobs_oldest_seconds', 'gauge', 'Age of the oldest such job.', [
      ...present.rows.map(
        ({ name, state, oldest }) => `cascata_jobs_oldest_seconds{${labels(name, state)}} ${oldest}`,
      ),
    ]),
    family('cascata_jobs_finished_total', 'counter', 'Jobs that are over, by kind and final state.', [
      ...totals.rows.map(
        ({ name, state, jobs }) => `cascata_jobs_finished_total{${labels(name, state)}} ${jobs}`,
      ),
    ]),
    family('cascata_job_duration_seconds', 'histogram', 'Time from the first start of a job to its end.', [
      ...totals.rows.flatMap(histogram),
    ]),
    family('cascata_extension_bundles', 'gauge', 'Files of extensions that were brought into the server.', [
      ...bundles.map(
        ({ bundle, state }) => `cascata_extension_bundles{bundle="${bundle}",state="${state}"} 1`,
      ),
    ]),
  ].join('');
}

interface TotalsRow {
  readonly name: string;
  readonly state: string;
  readonly jobs: string;
  readonly seconds: number;
  readonly buckets: readonly string[];
}

interface PresentRow {
  readonly name: string;
  readonly state: string;
  readonly jobs: string;
  readonly oldest: number;
}

function histogram({ name, state, jobs, seconds, buckets }: TotalsRow): string[] {
  const series = labels(name, state);
  let total = 0;
  const lines = buckets.map((count, index) => {
    total += Number(count);
    return `cascata_job_duration_seconds_bucket{${series},le="${BOUNDS[index] ?? '+Inf'}"} ${total}`;
  });
  return [
    ...lines,
    `cascata_job_duration_seconds_sum{${series}} ${seconds}`,
    `cascata_job_duration_seconds_count{${series}} ${jobs}`,
  ];
}

function family(name: string, type: string, help: string, lines: readonly string[]): string {
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.map((line) => `${line}\n`).join('')}`;
}

/** Both are names of ours: nothing in them needs to be escaped. */
function labels(kind: string, state: string): string {
  return `kind="${kind}",state="${state}"`;
}
