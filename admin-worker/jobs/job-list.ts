import { applyMigrationsKind } from './apply-migrations-kind.ts';
import { digestTenantKind } from './digest-tenant-kind.ts';
import { ejectTenantKind } from './eject-tenant-kind.ts';
import { exportCafKind } from './export-caf-kind.ts';
import { injectExtensionKind, withdrawExtensionKind } from './extension-kinds.ts';
import { flipBackTenantKind } from './flip-back-tenant-kind.ts';
import { hydrateCafKind } from './hydrate-caf-kind.ts';
import type { AnyJobKind } from './job-kind.ts';

/** All kinds of jobs that can be asked for. What they do is in `admin-worker/runner/job-definitions.ts`. */
export const JOB_KINDS: readonly AnyJobKind[] = [
  applyMigrationsKind,
  digestTenantKind,
  ejectTenantKind,
  exportCafKind,
  flipBackTenantKind,
  hydrateCafKind,
  injectExtensionKind,
  withdrawExtensionKind,
];
