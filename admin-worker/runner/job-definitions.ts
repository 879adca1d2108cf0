import { adoptTenant } from '../jobs/adopt-tenant.ts';
import { applyMigrations } from '../jobs/apply-migrations.ts';
import { bringExtension } from '../jobs/bring-extension.ts';
import { collectPayloads } from '../jobs/collect-payloads.ts';
import { deleteOldCopy } from '../jobs/delete-old-copy.ts';
import { digestTenant } from '../jobs/digest-tenant.ts';
import { ejectTenant } from '../jobs/eject-tenant.ts';
import { exportCaf } from '../jobs/export-caf.ts';
import { flipBackTenant } from '../jobs/flip-back-tenant.ts';
import { hydrateCaf } from '../jobs/hydrate-caf.ts';
import { injectExtension } from '../jobs/inject-extension.ts';
import type { AnyJobDefinition } from '../jobs/job.ts';
import { rejudgeExtensions } from '../jobs/rejudge-extensions.ts';
import { repatriateTenant } from '../jobs/repatriate-tenant.ts';
import { withdrawExtension } from '../jobs/withdraw-extension.ts';

/** Every kind of job a runner works on. Each is also in `admin-worker/jobs/job-list.ts`, for the API. */
export const JOB_DEFINITIONS: readonly AnyJobDefinition[] = [
  adoptTenant,
  applyMigrations,
  bringExtension,
  deleteOldCopy,
  collectPayloads,
  digestTenant,
  ejectTenant,
  exportCaf,
  flipBackTenant,
  hydrateCaf,
  injectExtension,
  repatriateTenant,
  rejudgeExtensions,
  withdrawExtension,
];
