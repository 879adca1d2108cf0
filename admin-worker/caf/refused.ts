import { JobError } from '../jobs/job.ts';

/** Why a tenant's archive is refused that is in order as an archive. `docs/caf.md` lists them. */
export const REFUSALS = [
  'foreign-names',
  'foreign-object',
  'foreign-statement',
  'foreign-role',
  'untrusted-language',
  'not-a-dump',
  'trusted-isolation',
  'deferred-code',
] as const;

export type Refusal = (typeof REFUSALS)[number];

/** An error that says why; nothing of the archive is used. */
export function refused(code: Refusal, what: string, hint?: string): JobError {
  return new JobError(`The archive is refused: ${what}`, { code, hint });
}
