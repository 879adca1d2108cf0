import type pg from 'pg';
import { z } from 'zod';
import { differences, readTableContents } from '../ejection/content-hash.ts';
import { lowerFence, raiseFence } from '../ejection/fence.ts';
import { ejectionOf, type Move, unsealFor } from '../ejection/move.ts';
import { findMove, flipHome, OLD_COPY_GONE } from '../ejection/moved-tenant.ts';
import { holdWrites, releaseWrites } from '../ejection/moving-status.ts';
import { readContents } from '../ejection/moving-tenant.ts';
import { findTenant } from '../tenants/tenant-record.ts';
import { type FlipBackTenantPayload, flipBackTenantKind } from './flip-back-tenant-kind.ts';
import { type JobContext, type JobDefinition, JobError } from './job.ts';

const FlipBackState = z.object({
  /** 0: not looked at yet. */
  epoch: z.number().default(0),
  status: z.string().default('active'),
  differences: z.array(z.string()).default([]),
});
type FlipBackState = z.output<typeof FlipBackState>;
type Context = JobContext<FlipBackTenantPayload, FlipBackState>;

const FENCE_WAIT_MS = 10_000;

/** Opens the old copy of a tenant again, closes the new one, and points the registry back. */
export const flipBackTenant: JobDefinition<FlipBackTenantPayload, FlipBackState> = {
  kind: flipBackTenantKind,
  state: FlipBackState,
  steps: [
    { name: 'check', run: check },
    { name: 'switch', run: flipBack, undo: stay, isPointOfNoReturn: true },
    { name: 'clean-up', run: async ({ services }) => void (await services.pgbouncer?.sync()) },
  ],
  async dryRun(context) {
    await check(context);
    const both = await bothPlaces(context);
    if (both === undefined) return [];
    const found = await withBoth(context, both, (places) => compare(places, both));
    return found.length === 0 ? ['both places hold the same'] : found.map((text) => `lost: ${text}`);
  },
  result: ({ differences: left }) => ({ differences: left }),
};

async function check({ services, payload, state }: Context): Promise<void> {
  const tenant = await findTenant(services.control, payload.tenantId);
  if (tenant === undefined) throw new JobError(`There is no tenant '${payload.tenantId}'`);
  const past = await findMove(services.control, tenant.id);
  if (tenant.status === 'moving' || past === undefined) {
    throw new JobError(`The tenant '${tenant.id}' was not moved away, or is being moved`);
  }
  if (past.old_copy_deleted_at !== null) throw new JobError(OLD_COPY_GONE, { code: 'old_copy_deleted' });
  state.epoch = tenant.epoch;
  state.status = tenant.status;
}

interface Places {
  /** The old copy. */
  readonly home: pg.Client;
  readonly remote: pg.Client;
  readonly control: pg.Client;
}

/** The move that is to be taken back; `undefined` once it has been. */
async function bothPlaces({ services, payload }: Context): Promise<Move | undefined> {
  const { tenantId } = payload;
  const tenant = await findTenant(services.control, tenantId);
  const move = await findMove(services.control, tenantId);
  if (tenant === undefined || move === undefined) return undefined;
  return ejectionOf(services, {
    tenant,
    sourceDatabase: move.from_database,
    mode: 'offline',
    target: unsealFor(services, tenantId, { field: 'target', sealed: move.sealed_target }),
    caCertificate: tenant.ca_certificate ?? undefined,
  });
}

function withBoth<T>(
  { connect, services }: Context,
  { source, target }: Move,
  work: (places: Places) => Promise<T>,
): Promise<T> {
  return connect(source, (home) =>
    connect(target, (remote) =>
      connect(services.controlDatabaseUrl, (control) => work({ home, remote, control })),
    ),
  );
}

async function flipBack(context: Context): Promise<void> {
  const { payload, state, log, jobId } = context;
  const both = await bothPlaces(context);
  // An earlier run was killed between its commit and keeping the step.
  if (both === undefined) return;
  await withBoth(context, both, async (places) => {
    const { home, remote, control } = places;
    const { epoch, status } = state;
    const { schemas } = await readContents(home, both.roles);
    if (!(await holdWrites(control, payload.tenantId, epoch))) throw changedMeanwhile(payload.tenantId);
    await raiseFence(remote, { schemas, waitMs: FENCE_WAIT_MS });
    state.differences = [...(await compare(places, both))];
    if (state.differences.length > 0 && !payload.acceptDataLoss) {
      throw new JobError('Something was written at the new place, and would be lost', {
        code: 'data_loss',
        details: state.differences.join('\n'),
        hint: 'With "accept_data_loss": true it is left there',
      });
    }
    await lowerFence(home, schemas);
    await context.assertLease();
    if (!(await flipHome(control, { tenantId: payload.tenantId, epoch, status, by: 'flip-back', jobId }))) {
      throw changedMeanwhile(payload.tenantId);
    }
    log('the registry names the old place');
  });
}

/** The old place closed and the new one open, as it was. */
async function stay(context: Context): Promise<void> {
  const both = await bothPlaces(context);
  if (both === undefined) return;
  await withBoth(context, both, async ({ home, remote, control }) => {
    const { schemas } = await readContents(home, both.roles);
    await raiseFence(home, { schemas, waitMs: FENCE_WAIT_MS });
    await lowerFence(remote, schemas);
    const { epoch, status } = context.state;
    await releaseWrites(control, { tenantId: context.payload.tenantId, epoch, status });
  });
}

async function compare({ home, remote }: Places, { roles }: Move): Promise<readonly string[]> {
  const [here, there] = await Promise.all(
    [home, remote].map(async (client) => {
      const { tables } = await readContents(client, roles);
      return readTableContents(client, { tables, by: 'contents' });
    }),
  );
  const known = new Set((here ?? []).map(({ table }) => table));
  return [
    ...differences(here ?? [], there ?? []),
    ...(there ?? []).filter(({ table }) => !known.has(table)).map(({ table }) => `${table} is new`),
  ];
}

function changedMeanwhile(tenantId: string): JobError {
  return new JobError(`The tenant '${tenantId}' was changed while it was being moved`, { code: 'changed' });
}
