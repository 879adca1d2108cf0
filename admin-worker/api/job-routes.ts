import { type Context, Hono } from 'hono';
import { z } from 'zod';
import { cancelJob } from '../jobs/cancel-job.ts';
import { type JobLogLine, readJobLog } from '../jobs/job-log.ts';
import { JOB_STATES, type JobRecord } from '../jobs/job-record.ts';
import { findJob, type JobEvent, listJobs, readJobEvents } from '../jobs/job-store.ts';
import type { AdminEnv, ApiServices } from './admin-env.ts';
import { AdminError } from './admin-error.ts';
import { streamJob } from './job-stream.ts';
import { jobView } from './job-view.ts';
import { readQuery } from './read-body.ts';

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

export const ListJobsQuery = z.strictObject({
  tenant: z.string().optional(),
  state: z.enum(JOB_STATES).optional(),
  kind: z.string().optional().describe('Name of a kind, such as apply-migrations'),
  limit: z.coerce.number().int().min(1).max(1000).default(100),
  after: z.guid().optional().describe('Id of the last job of the page before'),
});

export const JobLogQuery = z.strictObject({
  after: z
    .string()
    .regex(/^\d{1,18}$/)
    .default('0')
    .describe('Id of the last line that is known'),
  limit: z.coerce.number().int().min(1).max(10_000).default(1_000),
});

/** Lines read at once for a stream. */
const STREAM_LINES = 500;

/** `/v1/jobs` */
export function jobRoutes(services: ApiServices): Hono<AdminEnv> {
  const { control } = services;
  const app = new Hono<AdminEnv>();

  app.get('/', async (c) => {
    const { jobs, next } = await listJobs(control, readQuery(c, ListJobsQuery));
    return c.json({ jobs: jobs.map(jobView), next: next ?? null });
  });

  app.get('/:id', async (c) => c.json({ job: jobView(await requireJob(services, c.req.param('id'))) }));

  app.post('/:id/cancel', async (c) => {
    const { id } = await requireJob(services, c.req.param('id'));
    const job = await cancelJob(services, services.boss, { id, actor: c.get('actor') });
    return c.json({ job: jobView(job) }, 202);
  });

  app.get('/:id/events', async (c) => {
    const { id } = await requireJob(services, c.req.param('id'));
    return streamJob(c, services, {
      jobId: id,
      event: 'job',
      readAfter: async (after) =>
        (await readJobEvents(control, id, after)).map((event) => ({
          id: event.id,
          data: eventView(id, event),
        })),
    });
  });

  app.get('/:id/log', async (c) => {
    const { id } = await requireJob(services, c.req.param('id'));
    if (accepts(c, 'text/event-stream')) {
      return streamJob(c, services, {
        jobId: id,
        event: 'log',
        readAfter: async (after) =>
          (await readJobLog(control, id, { after, limit: STREAM_LINES })).map((line) => ({
            id: line.id,
            data: lineView(line),
          })),
      });
    }
    const { after, limit } = readQuery(c, JobLogQuery);
    const lines = await readJobLog(control, id, { after, limit });
    if (accepts(c, 'text/plain')) return c.text(lines.map(lineText).join(''));
    return c.json({ lines: lines.map(lineView), next: lines.length === limit ? lines.at(-1)!.id : null });
  });

  return app;
}

function accepts(c: Context, type: string): boolean {
  return c.req.header('accept')?.includes(type) === true;
}

function eventView(jobId: string, { at, state, progress, step, message, error }: JobEvent) {
  return { job: { id: jobId, state, progress, step, message, error }, at: at.toISOString() };
}

function lineView({ id, at, attempt, level, step, line }: JobLogLine) {
  return { id, at: at.toISOString(), attempt, level, step, line };
}

/** `2026-11-22T05:00:00.000Z #1 apply: 202611220001__books.sql` */
function lineText({ at, attempt, level, step, line }: JobLogLine): string {
  const mark = level === 'info' ? '' : `${level.toUpperCase()} `;
  return `${at.toISOString()} #${attempt} ${step === null ? '' : `${step}: `}${mark}${line}\n`;
}

async function requireJob({ control }: ApiServices, id: string): Promise<JobRecord> {
  const job = UUID.test(id) ? await findJob(control, id) : undefined;
  if (job === undefined) throw new AdminError('not_found', `There is no job '${id.slice(0, 60)}'`);
  return job;
}
