import { z } from 'zod';

/** States a job is shown in. `active` lasts from its first run to its end, also between two attempts and while it is undone. */
export const JOB_STATES = ['queued', 'active', 'completed', 'failed', 'cancelled'] as const;
export type JobState = (typeof JOB_STATES)[number];

export const FINAL_STATES: ReadonlySet<JobState> = new Set(['completed', 'failed', 'cancelled']);

export const JobFailure = z.object({
  message: z.string(),
  code: z.string().optional(),
  details: z.string().optional(),
  hint: z.string().optional(),
});
/** Why a job failed, for whoever asked for it. */
export type JobFailure = z.output<typeof JobFailure>;

const JobRow = z.object({
  id: z.string(),
  name: z.string(),
  tenant_id: z.string().nullable(),
  state: z.enum(JOB_STATES),
  progress: z.number(),
  step: z.string().nullable(),
  message: z.string().nullable(),
  error: JobFailure.nullable(),
  result: z.record(z.string(), z.unknown()).nullable(),
  is_cancel_requested: z.boolean(),
  priority: z.number(),
  is_dry_run: z.boolean(),
  concurrency_key: z.string().nullable(),
  attempt: z.number(),
  failures: z.number(),
  steps_begun: z.array(z.string()),
  steps_done: z.array(z.string()),
  step_state: z.record(z.string(), z.unknown()),
  is_past_return: z.boolean(),
  is_undoing: z.boolean(),
  created_at: z.date(),
  started_at: z.date().nullable(),
  finished_at: z.date().nullable(),
  deadline_at: z.date().nullable(),
});
/** One row of `control.jobs`. */
export type JobRecord = z.output<typeof JobRow>;

/** Columns `jobFromRow` wants. */
export const JOB_COLUMNS = Object.keys(JobRow.shape).join(', ');

/** @throws {z.ZodError} when the table and this code disagree */
export function jobFromRow(row: unknown): JobRecord {
  return JobRow.parse(row);
}
