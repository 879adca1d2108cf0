import { canEject, type Finding } from '../ejection/finding.ts';
import { type JobContext, JobError } from './job.ts';

/** Writes findings to the job's log. @throws {JobError} `preflight`, when one of them stands in the way */
export function reportFindings(
  { log }: Pick<JobContext, 'log'>,
  findings: readonly Finding[],
  what: 'moved' | 'exported' = 'moved',
): void {
  for (const { severity, object, text } of findings) {
    log(`${severity}: ${object}: ${text}`, severity === 'error' ? 'error' : 'info');
  }
  throwIfRefused(findings, what);
}

/** @throws {JobError} `preflight`, with all that stands in the way and what to do about the first of it */
export function throwIfRefused(findings: readonly Finding[], what: 'moved' | 'exported' = 'moved'): void {
  if (canEject(findings)) return;
  const errors = findings.filter(({ severity }) => severity === 'error');
  throw new JobError(`The tenant cannot be ${what} as things stand`, {
    code: 'preflight',
    details: errors.map(({ object, text }) => `${object}: ${text}`).join('\n'),
    hint: errors.map(({ what_to_do: todo }) => todo).find((todo) => todo !== null) ?? undefined,
  });
}
