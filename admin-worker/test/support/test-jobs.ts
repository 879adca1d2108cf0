import { execFileSync } from 'node:child_process';
import { z } from 'zod';
import { type JobContext, type JobDefinition, JobError } from '../../jobs/job.ts';
import type { JobKind } from '../../jobs/job-kind.ts';

/*
 * Kinds of jobs for tests, with effects in PostgreSQL that show whether something happened twice, or half.
 */

const LedgerPayload = z.strictObject({
  /** The third step fails for good: everything is to be undone. */
  fails: z.boolean().default(false),
  /** Called in the second step between two statements of its transaction; a shell command. */
  pause: z.string().optional(),
  key: z.string().optional(),
});
type LedgerPayload = z.output<typeof LedgerPayload>;

export const ledgerKind: JobKind<LedgerPayload> = {
  name: 'test-ledger',
  summary: 'Writes three lines into a ledger, and takes them back if the third cannot be written',
  payload: LedgerPayload,
  concurrencyKey: ({ key }) => key,
  // Killed on purpose more often than any real one.
  retryLimit: 1_000,
};

const LedgerState = z.object({ balance: z.number().default(0) });
type LedgerState = z.output<typeof LedgerState>;
type Context = JobContext<LedgerPayload, LedgerState>;

/** Table of the effects; no constraint keeps an effect from happening twice. */
export const LEDGER =
  'CREATE TABLE public.ledger (job uuid NOT NULL, line text NOT NULL, amount int NOT NULL)';

const shell = (command: string) => void execFileSync('sh', ['-c', command]);

/** Looks at what is there and writes what is missing, in one transaction. */
async function write(context: Context, line: string, amount: number): Promise<void> {
  await context.connect(context.services.controlDatabaseUrl, async (client) => {
    await client.query('BEGIN');
    const found = await client.query('SELECT FROM public.ledger WHERE job = $1 AND line = $2', [
      context.jobId,
      line,
    ]);
    if (context.payload.pause !== undefined && line === 'b') shell(context.payload.pause);
    if (found.rowCount === 0) {
      await client.query('INSERT INTO public.ledger VALUES ($1, $2, $3)', [context.jobId, line, amount]);
    }
    await client.query('COMMIT');
  });
  context.state.balance += amount;
}

function takeBack(context: Context, line: string): Promise<void> {
  return context.connect(context.services.controlDatabaseUrl, async (client) => {
    await client.query('DELETE FROM public.ledger WHERE job = $1 AND line = $2', [context.jobId, line]);
  });
}

export const ledgerJob: JobDefinition<LedgerPayload, LedgerState> = {
  kind: ledgerKind,
  state: LedgerState,
  steps: [
    { name: 'a', run: (context) => write(context, 'a', 1), undo: (context) => takeBack(context, 'a') },
    { name: 'b', run: (context) => write(context, 'b', 10), undo: (context) => takeBack(context, 'b') },
    {
      name: 'c',
      async run(context) {
        if (context.payload.fails) throw new JobError('The ledger is closed');
        await write(context, 'c', 100);
      },
      undo: (context) => takeBack(context, 'c'),
    },
  ],
  dryRun: async () => ['three lines would be written'],
  result: ({ balance }) => ({ balance }),
};

const WaitPayload = z.strictObject({
  /** A shell command that ends when the step may. */
  command: z.string(),
  /** Whether it holds up all of the process, as a computation would. */
  blocks: z.boolean().default(false),
  key: z.string().optional(),
});
type WaitPayload = z.output<typeof WaitPayload>;

export const waitKind: JobKind<WaitPayload> = {
  name: 'test-wait',
  summary: 'Waits for a command',
  payload: WaitPayload,
  concurrencyKey: ({ key }) => key,
  whenBusy: 'refuse',
  slots: 1,
};

export const waitJob: JobDefinition<WaitPayload, object> = {
  kind: waitKind,
  state: z.object({}),
  steps: [
    {
      name: 'wait',
      async run({ payload, signal, progress }) {
        await progress(0.5, 'waiting');
        if (payload.blocks) return shell(payload.command);
        await new Promise<void>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
      },
    },
  ],
  dryRun: async () => [],
};

export const TEST_JOBS = [ledgerJob, waitJob];
