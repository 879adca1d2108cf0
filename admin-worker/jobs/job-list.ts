import { APPLY_MIGRATIONS } from './apply-migrations-payload.ts';

/** Names of all kinds of jobs; each has a queue of its name. */
export const JOB_QUEUES: readonly string[] = [APPLY_MIGRATIONS];
