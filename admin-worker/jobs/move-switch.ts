import type pg from 'pg';
import { ChangeFeed, withKeys } from '../ejection/change-feed.ts';
import { differences, readCanonically, readTableContents } from '../ejection/content-hash.ts';
import { endAutovacuum, lowerFence, raiseFence } from '../ejection/fence.ts';
import type { Move } from '../ejection/move.ts';
import { holdWrites, releaseWrites } from '../ejection/moving-status.ts';
import { readContents, type TenantContents } from '../ejection/moving-tenant.ts';
import { copySequences, drain, drainTo, replicationName, seesOrigin } from '../ejection/replication.ts';
import { VerifyAhead } from '../ejection/verify-ahead.ts';
import { type JobContext, JobError } from './job.ts';
import type { MovePayload, MoveRoute, MoveState, Switch } from './move-state.ts';

type Context = JobContext<MovePayload, MoveState>;

/** Transactions that were under way when writes were held. Offline nobody waits for a pause of a second. */
const FENCE_WAIT_MS = { offline: 60_000, online: 3_000 } as const;
const DRAIN_WAIT_MS = 5_000;
/** Nobody waits for this: writes are not held yet. */
const CATCH_UP_WAIT_MS = 600_000;

interface Connections {
  readonly control: pg.Client;
  readonly source: pg.Client;
  readonly target: pg.Client;
}

/** Holds writes at the gateways and closes the tables to whatever comes all the same. Reads go on. */
export async function hold<C extends Context>(context: C, route: MoveRoute<C>): Promise<void> {
  const { connect, services } = context;
  const move = await route.find(context);
  await connect(move.source, (source) =>
    connect(services.controlDatabaseUrl, (control) => closeOldPlace(context, { control, source })),
  );
}

/** The way back from `hold`, and from a switch that was not made: tables first, or held writes would be refused by them. */
export async function release<C extends Context>(context: C, route: MoveRoute<C>): Promise<void> {
  // The old place stays closed then.
  if (await route.isSwitched(context)) return;
  const { connect, services } = context;
  const move = await route.find(context);
  await connect(move.source, (source) =>
    connect(services.controlDatabaseUrl, (control) => reopen(context, { control, source })),
  );
}

/** Compares both sides and points the registry at the new place. Online most of that is done before writes are held and what is left is carried over. */
export async function flip<C extends Context>(context: C, route: MoveRoute<C>): Promise<void> {
  const { connect, services, payload } = context;
  // An earlier run was killed between its commit and keeping the step.
  if (await route.isSwitched(context)) return;
  const move = await route.find(context);
  const pointThere = await route.prepareSwitch(context, move);
  await connect(move.source, (source) =>
    connect(move.target, (target) =>
      connect(services.controlDatabaseUrl, async (control) => {
        const connections = { control, source, target };
        if (payload.mode === 'offline') {
          await verify(context, { source, target, move });
          await point(context, control, pointThere);
          return;
        }
        try {
          await flipOnline(context, { ...connections, move, pointThere });
        } catch (error) {
          // Writers wait: they go on now, not when the job has been undone.
          if (!(await route.isSwitched(context))) {
            await reopen(context, connections).catch(() => undefined); // `release` does it again.
          }
          throw error;
        }
      }),
    ),
  );
}

interface Flip extends Connections {
  readonly move: Move;
  readonly pointThere: Switch;
}

async function flipOnline(
  context: Context,
  { control, source, target, move, pointThere }: Flip,
): Promise<void> {
  const { connect, jobId, signal, state, log } = context;
  const name = replicationName(jobId);
  const wait = { name, waitMs: DRAIN_WAIT_MS, signal };
  await connect(move.source, (sourceReader) =>
    connect(move.target, (targetReader) =>
      connect(move.source, async (follower) => {
        for (const client of [sourceReader, targetReader, follower]) await readCanonically(client);
        const contents = await readContents(source, move.roles);
        const tables = await withKeys(sourceReader, contents.tables);
        const feed = await ChangeFeed.begin(follower, { name, tables });
        const ahead = await VerifyAhead.begin(
          { source: sourceReader, target: targetReader },
          {
            tables,
            by: context.payload.verify,
            feed,
            signal,
            untilApplied: () => drain({ source }, { ...wait, waitMs: CATCH_UP_WAIT_MS }),
          },
        );
        log(ahead.describe());
        await endAutovacuum(source, state.schemas);
        const isOriginSeen = await seesOrigin(target);
        await context.assertLease();

        const beginsAt = performance.now();
        const laps: string[] = [];
        const lap = (what: string) => laps.push(`${what} ${Math.round(performance.now() - beginsAt)}`);
        await closeOldPlace(context, { control, source });
        lap('closed');
        await Promise.all([ahead.readLastChanges(), refuseOtherContents(source, { move, contents })]);
        lap('last changes');
        if (isOriginSeen) await drainTo({ target }, { ...wait, lsn: feed.lastCommit });
        else await drain({ source }, wait);
        lap('drained');
        const [compared] = await Promise.all([
          ahead.finish(),
          copySequences({ source, target }, { contents, owner: move.roles.owner }),
        ]);
        lap('compared');
        await point(context, control, pointThere);
        state.pauseMs = Math.round(performance.now() - beginsAt);
        Object.assign(state, compared);
        log(
          `${state.tables} tables with ${state.rows} rows are the same on both sides (${context.payload.verify})`,
        );
        log(`writes were held for ${state.pauseMs} ms: ${laps.join(', ')}, switched ${state.pauseMs}`);
      }),
    ),
  );
}

/** A table that came after the copy would be left behind. */
async function refuseOtherContents(
  source: pg.Client,
  { move, contents }: { readonly move: Move; readonly contents: TenantContents },
): Promise<void> {
  const names = ({ tables, sequences }: TenantContents) =>
    [...tables, ...sequences].map(({ schema, name }) => `${schema}.${name}`);
  const before = new Set(names(contents));
  const now = names(await readContents(source, move.roles));
  const other = [...now.filter((name) => !before.delete(name)), ...before];
  if (other.length === 0) return;
  throw new JobError(`Tables came or went while the tenant was being moved: ${other.join(', ')}`, {
    code: 'changed',
  });
}

async function closeOldPlace(
  { payload, state }: Context,
  { control, source }: Pick<Connections, 'control' | 'source'>,
): Promise<void> {
  if (!(await holdWrites(control, payload.tenantId, state.epoch))) throw changedMeanwhile(payload.tenantId);
  await raiseFence(source, { schemas: state.schemas, waitMs: FENCE_WAIT_MS[payload.mode] });
}

async function reopen(
  { payload, state }: Context,
  { control, source }: Pick<Connections, 'control' | 'source'>,
): Promise<void> {
  await lowerFence(source, state.schemas);
  await releaseWrites(control, { tenantId: payload.tenantId, epoch: state.epoch, status: state.status });
}

async function point(context: Context, control: pg.Client, pointThere: Switch): Promise<void> {
  await context.assertLease();
  if (!(await pointThere(control))) throw changedMeanwhile(context.payload.tenantId);
  context.log('the registry names the new place');
}

/** Both sides are at rest. @throws {JobError} that names the tables that differ */
async function verify(
  { payload, state, log }: Context,
  { source, target, move }: { source: pg.Client; target: pg.Client; move: Move },
): Promise<void> {
  const { tables } = await readContents(source, move.roles);
  const [before = [], after = []] = await Promise.all(
    [source, target].map((client) => readTableContents(client, { tables, by: payload.verify })),
  );
  const different = differences(before, after);
  if (different.length > 0) {
    throw new JobError('The copy is not the same as the tenant', {
      code: 'verify',
      details: different.join('\n'),
    });
  }
  state.tables = before.length;
  state.rows = before.reduce((sum, { rows }) => sum + Number(rows), 0);
  log(`${state.tables} tables with ${state.rows} rows are the same on both sides (${payload.verify})`);
}

function changedMeanwhile(tenantId: string): JobError {
  return new JobError(`The tenant '${tenantId}' was changed while it was being moved`, { code: 'changed' });
}
