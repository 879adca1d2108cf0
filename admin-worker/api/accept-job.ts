import type { Context } from 'hono';
import type { ClientBase } from 'pg';
import { z } from 'zod';
import { inTransaction } from '../connections.ts';
import { enqueueJob } from '../jobs/enqueue-job.ts';
import { findEarlierJob, type IdempotentRequest, rememberJob } from '../jobs/idempotency.ts';
import type { JobKind } from '../jobs/job-kind.ts';
import { recordAudit } from '../tenants/audit.ts';
import type { AdminEnv, ApiServices } from './admin-env.ts';
import { AdminError } from './admin-error.ts';
import { jobView } from './job-view.ts';

/** What every body that asks for a job may hold: spread it into the body's schema. */
export const JobOptions = {
  dry_run: z
    .boolean()
    .default(false)
    .describe('Check everything, change nothing, and say what would be done'),
  priority: z
    .int()
    .min(-100)
    .max(100)
    .default(0)
    .describe('Jobs of one kind with a higher one are taken first'),
};

const IDEMPOTENCY_KEY = /^[\x21-\x7E]{1,255}$/;

export interface AcceptedJob<Payload extends object> {
  readonly kind: JobKind<Payload>;
  readonly payload: Payload;
  readonly options: { readonly dry_run: boolean; readonly priority: number };
  /** What the same request always comes to, where the payload holds something sealed and therefore never the same. Default: the payload. */
  readonly identity?: unknown;
  /** For the audit log: what was asked for, without secrets. */
  readonly audit: { readonly action: string; readonly after: unknown };
  /** Refuses what cannot be done as things stand, by throwing. Not called for a request that is repeated. */
  prepare?(client: ClientBase): Promise<void>;
}

/**
 * Makes a job and answers 202 with it. A request that is repeated with its `Idempotency-Key` is answered with the job it made, and the header
 * `Idempotency-Replayed: true`.
 *
 * @throws {AdminError} `idempotency_key_reused`, `conflict`, `invalid_request` (the key), and what `prepare` throws
 */
export async function acceptJob<Payload extends object>(
  c: Context<AdminEnv>,
  services: ApiServices,
  job: AcceptedJob<Payload>,
): Promise<Response> {
  const { kind, payload, identity = payload, options, audit, prepare } = job;
  const actor = c.get('actor');
  const key = idempotencyKey(c);
  const repeatable: IdempotentRequest | undefined =
    key === undefined
      ? undefined
      : { key, actor: actor.fingerprint, request: [c.req.method, c.req.path, kind.name, identity, options] };
  const { record, isReplay } = await inTransaction(services.control, async (client) => {
    const earlier = repeatable === undefined ? undefined : await findEarlierJob(client, repeatable);
    if (earlier !== undefined) return { record: earlier, isReplay: true };
    await prepare?.(client);
    const made = await enqueueJob(client, services.boss, {
      kind,
      payload,
      actor,
      priority: options.priority,
      isDryRun: options.dry_run,
    });
    if (repeatable !== undefined) await rememberJob(client, repeatable, made.id);
    await recordAudit(client, {
      actor,
      action: audit.action,
      tenantId: made.tenant_id ?? undefined,
      after: { job: made.id, ...(options.dry_run ? { dry_run: true } : {}), ...Object(audit.after) },
    });
    return { record: made, isReplay: false };
  });
  return c.json({ job: jobView(record) }, 202, {
    Location: `/v1/jobs/${record.id}`,
    ...(isReplay ? { 'Idempotency-Replayed': 'true' } : {}),
  });
}

function idempotencyKey(c: Context<AdminEnv>): string | undefined {
  const key = c.req.header('idempotency-key');
  if (key === undefined || IDEMPOTENCY_KEY.test(key)) return key;
  throw new AdminError(
    'invalid_request',
    'Idempotency-Key must be 1 to 255 characters of ASCII without spaces',
  );
}
