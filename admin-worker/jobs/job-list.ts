import { applyMigrationsKind } from './apply-migrations-kind.ts';
import { injectExtensionKind, withdrawExtensionKind } from './extension-kinds.ts';
import type { AnyJobKind } from './job-kind.ts';

/** All kinds of jobs that can be asked for. What they do is in `admin-worker/runner/job-definitions.ts`. */
export const JOB_KINDS: readonly AnyJobKind[] = [
  applyMigrationsKind,
  injectExtensionKind,
  withdrawExtensionKind,
];
