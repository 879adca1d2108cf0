import { z } from 'zod';
import { CONTENTS } from '../caf/leavable.ts';
import type { JobKind } from './job-kind.ts';

const ExportCafPayload = z.strictObject({
  tenantId: z.string(),
  sealedPassphrase: z.string(),
  leaveOut: z.array(z.enum(CONTENTS)).default([]),
});
export type ExportCafPayload = z.output<typeof ExportCafPayload>;

/** Changes nothing of the tenant, but waits for migrations, which change what is read. */
export const exportCafKind: JobKind<ExportCafPayload> = {
  name: 'export-caf',
  summary: 'Write a tenant into one archive',
  payload: ExportCafPayload,
  tenantOf: ({ tenantId }) => tenantId,
  concurrencyKey: ({ tenantId }) => `tenant:${tenantId}`,
  deadlineSeconds: 23 * 3_600,
  slots: 2,
};
