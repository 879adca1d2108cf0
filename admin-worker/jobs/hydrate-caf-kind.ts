import { z } from 'zod';
import { LEAVABLE } from '../caf/leavable.ts';
import type { JobKind } from './job-kind.ts';

const HydrateCafPayload = z.strictObject({
  /** Id of the tenant to be made. */
  tenantId: z.string(),
  uploadId: z.guid(),
  sealedPassphrase: z.string(),
  /** In place of the archive's. */
  hosts: z.array(z.string()).nullable(),
  /** Extensions beyond the trusted ones that may be made in the tenant's own database. */
  extensions: z.array(z.string()),
  /** Where files and vectors go; holds keys. */
  sealedBackends: z.string().nullable().default(null),
  leaveOut: z.array(z.enum(LEAVABLE)).default([]),
  /** In place of the archive's, which may not say `trusted` by itself. */
  isolation: z.enum(['sealed', 'trusted']).nullable().default(null),
  /** That it gets in the end; `null`: the one it had at its origin. */
  status: z.enum(['active', 'suspended']).nullable().default(null),
  /** Hydration whose tenant, at rest since, this one replaces; its files and vectors stay. */
  replaces: z.guid().nullable().default(null),
});
export type HydrateCafPayload = z.output<typeof HydrateCafPayload>;

export const hydrateCafKind: JobKind<HydrateCafPayload> = {
  name: 'hydrate-caf',
  summary: 'Make a tenant out of an archive',
  payload: HydrateCafPayload,
  tenantOf: ({ tenantId }) => tenantId,
  concurrencyKey: ({ tenantId }) => `tenant:${tenantId}`,
  whenBusy: 'refuse',
  deadlineSeconds: 23 * 3_600,
  slots: 2,
};
