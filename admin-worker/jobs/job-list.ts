import { adoptTenantKind } from './adopt-tenant-kind.ts';
import { applyMigrationsKind } from './apply-migrations-kind.ts';
import { deleteOldCopyKind } from './delete-old-copy-kind.ts';
import { digestTenantKind } from './digest-tenant-kind.ts';
import { ejectTenantKind } from './eject-tenant-kind.ts';
import { exportCafKind } from './export-caf-kind.ts';
import {
  bringExtensionKind,
  collectPayloadsKind,
  injectExtensionKind,
  rejudgeExtensionsKind,
  withdrawExtensionKind,
} from './extension-kinds.ts';
import { flipBackTenantKind } from './flip-back-tenant-kind.ts';
import { hydrateCafKind } from './hydrate-caf-kind.ts';
import type { AnyJobKind } from './job-kind.ts';
import { repatriateTenantKind } from './repatriate-tenant-kind.ts';

/** All kinds of jobs that can be asked for. What they do is in `admin-worker/runner/job-definitions.ts`. */
export const JOB_KINDS: readonly AnyJobKind[] = [
  adoptTenantKind,
  applyMigrationsKind,
  bringExtensionKind,
  deleteOldCopyKind,
  collectPayloadsKind,
  digestTenantKind,
  ejectTenantKind,
  exportCafKind,
  flipBackTenantKind,
  hydrateCafKind,
  injectExtensionKind,
  repatriateTenantKind,
  rejudgeExtensionsKind,
  withdrawExtensionKind,
];
