import { z } from 'zod';
import type { JobKind } from './job-kind.ts';

const ApplyMigrationsPayload = z.strictObject({
  tenantId: z.string(),
  migrations: z.array(z.strictObject({ name: z.string(), sql: z.string() })),
});
export type ApplyMigrationsPayload = z.output<typeof ApplyMigrationsPayload>;

/** Migrations of one tenant wait for each other. */
export const applyMigrationsKind: JobKind<ApplyMigrationsPayload> = {
  name: 'apply-migrations',
  summary: "Apply a tenant's pending migrations in one transaction",
  payload: ApplyMigrationsPayload,
  tenantOf: ({ tenantId }) => tenantId,
  concurrencyKey: ({ tenantId }) => `tenant:${tenantId}`,
};
