import type { Pool } from 'pg';
import { z } from 'zod';
import type { LogLevel } from './job.ts';
import { JOBS_CHANNEL, type Queryable } from './job-store.ts';

const MAX_LINE_LENGTH = 4_000;
/** Of one attempt: what a runaway child process prints must not fill the control database. */
const MAX_LINES = 20_000;
const FLUSH_MS = 250;

interface PendingLine {
  readonly at: string;
  readonly level: LogLevel;
  readonly step: string | undefined;
  readonly line: string;
}

export interface JobLogOptions {
  readonly control: Pool;
  readonly jobId: string;
  readonly attempt: number;
  /** Hears of lines that could not be written; they are tried again with the next ones. */
  readonly onError: (cause: unknown) => void;
}

/** Collects the log lines of one run of a job and writes them together, a few times a second. */
export class JobLog {
  readonly #options: JobLogOptions;
  #pending: PendingLine[] = [];
  #count = 0;
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> = Promise.resolve();

  constructor(options: JobLogOptions) {
    this.#options = options;
  }

  add(line: string, { level = 'info', step }: { level?: LogLevel; step?: string | undefined }): void {
    if (++this.#count > MAX_LINES) return;
    const text = this.#count === MAX_LINES ? 'further lines of this attempt are left out' : tidyLine(line);
    this.#pending.push({ at: new Date().toISOString(), level, step, line: text });
    this.#timer ??= setTimeout(() => void this.flush(), FLUSH_MS); // Failures go to `onError`.
  }

  /** Writes what has been collected. Never rejects. */
  flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#writing = this.#writing.then(() => this.#write());
    return this.#writing;
  }

  async #write(): Promise<void> {
    const lines = this.#pending;
    if (lines.length === 0) return;
    this.#pending = [];
    const { control, jobId, attempt, onError } = this.#options;
    try {
      await control.query(
        `WITH job AS (SELECT id FROM control.jobs WHERE id = $1 AND attempt = $2),
         written AS (
           INSERT INTO control.job_log (job_id, at, attempt, level, step, line)
           SELECT job.id, l.at, $2, l.level, l.step, l.line
           FROM job, ROWS FROM (json_to_recordset($3) AS (at timestamptz, level text, step text, line text)) WITH ORDINALITY AS l
           ORDER BY l.ordinality
           RETURNING 1)
         SELECT pg_notify('${JOBS_CHANNEL}', $1::text) FROM job`,
        [jobId, attempt, JSON.stringify(lines)],
      );
    } catch (cause) {
      this.#pending = [...lines, ...this.#pending];
      onError(cause);
    }
  }
}

/** A line that PostgreSQL takes, of bounded length, without passwords of URLs. */
export function tidyLine(line: string): string {
  const text = line
    .replace(/(\b[a-z][a-z0-9+.-]*:\/\/[^\s:@/]*):[^\s@]*@/gi, '$1:[redacted]@')
    // biome-ignore lint/suspicious/noControlCharactersInRegex: NUL is refused by PostgreSQL, the others are a terminal's.
    .replace(/\u001B\[[0-9;]*[A-Za-z]|[\u0000-\u0008\u000A-\u001F\u007F]/g, '');
  return text.length > MAX_LINE_LENGTH ? `${text.slice(0, MAX_LINE_LENGTH)}…` : text;
}

const LogRow = z.object({
  id: z.string(),
  at: z.date(),
  attempt: z.number(),
  level: z.enum(['info', 'warn', 'error']),
  step: z.string().nullable(),
  line: z.string(),
});
export type JobLogLine = z.output<typeof LogRow>;

/** Lines of a job's log after the line `afterId`, oldest first. */
export async function readJobLog(
  db: Queryable,
  jobId: string,
  { after, limit }: { after: string; limit: number },
): Promise<readonly JobLogLine[]> {
  const { rows } = await db.query(
    `SELECT id, at, attempt, level, step, line FROM control.job_log
     WHERE job_id = $1 AND id > $2 ORDER BY id LIMIT $3`,
    [jobId, after, limit],
  );
  return rows.map((row) => LogRow.parse(row));
}
