import { z } from 'zod';
import type { JobKind } from './job-kind.ts';

const DeleteOldCopyPayload = z.strictObject({
  tenantId: z.string(),
  /** Asked for because its time is over: it is left alone when that has changed since. */
  isDue: z.boolean(),
});
export type DeleteOldCopyPayload = z.output<typeof DeleteOldCopyPayload>;

export const deleteOldCopyKind: JobKind<DeleteOldCopyPayload> = {
  name: 'delete-old-copy',
  summary: 'Delete the old copy of a tenant that was moved away',
  payload: DeleteOldCopyPayload,
  tenantOf: ({ tenantId }) => tenantId,
  concurrencyKey: ({ tenantId }) => `tenant:${tenantId}`,
  slots: 1,
};
