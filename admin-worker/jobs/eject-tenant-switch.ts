import type pg from 'pg';
import { differences, readTableContents } from '../ejection/content-hash.ts';
import { type Ejection, sealFor, unsealFor } from '../ejection/ejection.ts';
import { lowerFence, raiseFence } from '../ejection/fence.ts';
import { flipToRemote, holdWrites, releaseWrites } from '../ejection/moving-status.ts';
import { readContents, type TenantContents } from '../ejection/moving-tenant.ts';
import { copySequences, drain, replicationName } from '../ejection/replication.ts';
import { targetLogins } from '../ejection/target-place.ts';
import { type EjectContext, findEjection, isSwitched } from './eject-tenant-state.ts';
import { JobError } from './job.ts';

/** Transactions that were under way when writes were held. Offline nobody waits for a pause of a second. */
const FENCE_WAIT_MS = { offline: 60_000, online: 3_000 } as const;
const DRAIN_WAIT_MS = 5_000;

interface Connections {
  readonly control: pg.Client;
  readonly source: pg.Client;
  readonly target: pg.Client;
}

/** Holds writes at the gateways and closes the tables to whatever comes all the same. Reads go on. */
export async function hold(context: EjectContext): Promise<void> {
  const { connect, services, state } = context;
  const { ejection } = await findEjection(context);
  await connect(ejection.source, (source) =>
    connect(services.controlDatabaseUrl, (control) =>
      closeOldPlace(context, { control, source, ejection, schemas: state.schemas }),
    ),
  );
}

/** The way back from `hold`, and from a switch that was not made: tables first, or held writes would be refused by them. */
export async function release(context: EjectContext): Promise<void> {
  const { connect, services } = context;
  // The old place stays closed then.
  if (await isSwitched(context)) return;
  const { ejection } = await findEjection(context);
  await connect(ejection.source, (source) =>
    connect(services.controlDatabaseUrl, (control) => reopen(context, { control, source })),
  );
}

/** Online: holds writes, carries over what is left. Then compares both sides and points the registry at the new place. */
export async function flip(context: EjectContext): Promise<void> {
  const { connect, services, payload } = context;
  // An earlier run was killed between its commit and keeping the step.
  if (await isSwitched(context)) return;
  const { ejection } = await findEjection(context);
  await connect(ejection.source, (source) =>
    connect(ejection.target, (target) =>
      connect(services.controlDatabaseUrl, async (control) => {
        const connections = { control, source, target };
        if (payload.mode === 'offline') return verifyAndFlip(context, { ...connections, ejection });
        try {
          await flipOnline(context, { ...connections, ejection });
        } catch (error) {
          // Writers wait: they go on now, not when the job has been undone.
          await reopen(context, { control, source }).catch(() => undefined); // `release` does it again.
          throw error;
        }
      }),
    ),
  );
}

interface Switch extends Connections {
  readonly ejection: Ejection;
}

async function flipOnline(
  context: EjectContext,
  { control, source, target, ejection }: Switch,
): Promise<void> {
  const { jobId, signal, state } = context;
  const contents = await readContents(source, ejection.roles);
  const beginsAt = performance.now();
  const times: string[] = [];
  const lap = (what: string) => times.push(`${what} ${Math.round(performance.now() - beginsAt)}`);
  await closeOldPlace(context, { control, source, ejection, schemas: state.schemas });
  lap('closed');
  await drain({ source }, { name: replicationName(jobId), waitMs: DRAIN_WAIT_MS, signal });
  lap('drained');
  await copySequences({ source, target }, { contents, owner: ejection.roles.owner });
  lap('sequences');
  await verifyAndFlip(context, { control, source, target, ejection });
  state.pauseMs = Math.round(performance.now() - beginsAt);
  context.log(
    `writes were held for ${state.pauseMs} ms: ${times.join(', ')}, compared and switched ${state.pauseMs}`,
  );
}

async function closeOldPlace(
  { payload, state }: EjectContext,
  {
    control,
    source,
    schemas,
  }: { control: pg.Client; source: pg.Client; ejection: Ejection; schemas: readonly string[] },
): Promise<void> {
  if (!(await holdWrites(control, payload.tenantId, state.epoch))) throw changedMeanwhile(payload.tenantId);
  await raiseFence(source, { schemas, waitMs: FENCE_WAIT_MS[payload.mode] });
}

async function reopen(
  context: EjectContext,
  { control, source }: Pick<Connections, 'control' | 'source'>,
): Promise<void> {
  if (await isSwitched(context)) return;
  const { payload, state } = context;
  await lowerFence(source, state.schemas);
  await releaseWrites(control, { tenantId: payload.tenantId, epoch: state.epoch, status: state.status });
}

async function verifyAndFlip(
  context: EjectContext,
  { control, source, target, ejection }: Switch,
): Promise<void> {
  const { state, payload, services, jobId, log } = context;
  const contents = await readContents(source, ejection.roles);
  await verify(context, { source, target, contents });
  const { tenantId } = payload;
  const logins = targetLogins(ejection, { masterKey: services.masterKey, jobId });
  const replica = payload.sealedReplica;
  await context.assertLease();
  const isFlipped = await flipToRemote(control, services, {
    tenantId,
    epoch: state.epoch,
    status: state.status,
    remoteConnectionString: logins.requests.url.reveal(),
    readReplicaUrl:
      replica === null
        ? undefined
        : unsealFor(services, tenantId, { field: 'replica', sealed: replica }).reveal(),
    caCertificate: payload.caCertificate ?? undefined,
    record: {
      jobId,
      mode: payload.mode,
      fromKind: state.fromKind,
      fromDatabase: state.fromDatabase,
      sealedTarget: payload.sealedTarget,
      sealedMigrator: sealFor(services, tenantId, { field: 'migrator', plain: logins.migrator.url.reveal() }),
      keepDays: payload.keepDays,
    },
  });
  if (!isFlipped) throw changedMeanwhile(tenantId);
  log('the registry names the new place');
}

/** Both sides are at rest. @throws {JobError} that names the tables that differ */
async function verify(
  { payload, state, log }: EjectContext,
  { source, target, contents }: { source: pg.Client; target: pg.Client; contents: TenantContents },
): Promise<void> {
  const { tables } = contents;
  const [before, after] = await Promise.all(
    [source, target].map((client) => readTableContents(client, { tables, by: payload.verify })),
  );
  const different = differences(before ?? [], after ?? []);
  if (different.length > 0) {
    throw new JobError('The copy is not the same as the tenant', {
      code: 'verify',
      details: different.join('\n'),
    });
  }
  state.tables = before?.length ?? 0;
  state.rows = (before ?? []).reduce((sum, { rows }) => sum + Number(rows), 0);
  log(`${state.tables} tables with ${state.rows} rows are the same on both sides (${payload.verify})`);
}

function changedMeanwhile(tenantId: string): JobError {
  return new JobError(`The tenant '${tenantId}' was changed while it was being moved`, { code: 'changed' });
}
