import { z } from 'zod';

export const APPLY_MIGRATIONS = 'apply-migrations';

/** What the job `apply-migrations` is given. */
export const ApplyMigrationsPayload = z.strictObject({
  tenantId: z.string(),
  migrations: z.array(z.strictObject({ name: z.string(), sql: z.string() })),
});
export type ApplyMigrationsPayload = z.output<typeof ApplyMigrationsPayload>;
