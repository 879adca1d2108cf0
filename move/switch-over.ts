import type { Digest } from './admin-answers.ts';
import { parseDigest, parseJob } from './admin-answers.ts';
import type { AdminClient } from './admin-client.ts';
import { differences } from './compare.ts';
import { type Copy, copyTenant } from './copy-tenant.ts';
import { discardCopy } from './discard-copy.ts';
import { type Journey, type MoveState, passphraseOf } from './journey.ts';
import type { LeaseKeeper } from './lease-keeper.ts';
import { AdminRefusal, MoveError } from './move-error.ts';
import { awaitJob } from './run-job.ts';

/** A copy that was looked at while writes went on. */
export interface ComparedCopy extends Copy {
  /** What is there, where nobody writes to it. */
  readonly there: Digest;
  /** What has changed here since; it will have to be made again. */
  readonly changed: readonly string[];
  /** There are files or vectors, and they are the same: another copy can do without sending them. */
  readonly hasSameContents: boolean;
}

/** Reads both sides while writes go on, so that nothing of that has to be done while they wait. @throws {MoveError} */
export async function compareAhead(journey: Journey, state: MoveState, copy: Copy): Promise<ComparedCopy> {
  const { options, from, to, report } = journey;
  report.say(`comparing ${options.tenant} on both sides`);
  const [here, there] = await Promise.all([digestOf(journey, state, from), digestOf(journey, state, to)]);
  const changed = changesOf(state, here, there);
  const hasContents = there.files.count > 0 || there.collections.length > 0;
  return { ...copy, there, changed, hasSameContents: hasContents && !changed.some(isContents) };
}

/**
 * While writes wait: compares the tenant with its copy, makes a new one if the tenant has changed since, and leaves the tenant at the other installation.
 *
 * @throws {MoveError} `failed` also when a new copy would have writes wait for longer than they may
 */
export async function switchOver(
  journey: Journey,
  state: MoveState,
  { lease, copy }: { readonly lease: LeaseKeeper; readonly copy: ComparedCopy },
): Promise<void> {
  const { from, report } = journey;
  let { changed } = copy;
  let here: Digest | undefined;
  if (changed.length === 0) {
    here = await digestOf(journey, state, from);
    changed = changesOf(state, here, copy.there);
  }
  if (changed.length > 0) here = await copyAgain(journey, state, { changed, copy, here });
  const { tables } = here!;
  report.say(
    `both sides are the same: ${tables.length} tables with ${tables.reduce((sum, { rows }) => sum + BigInt(rows), 0n)} rows`,
  );
  await flip(journey, state, lease);
}

/** @returns what both sides hold */
async function copyAgain(
  journey: Journey,
  state: MoveState,
  options: { changed: readonly string[]; copy: ComparedCopy; here: Digest | undefined },
): Promise<Digest> {
  const { from, to, report } = journey;
  refuseLongPause(journey, options);
  const isLean = options.copy.hasSameContents && !options.changed.some(isContents);
  const without = isLean ? ', without files and vectors' : '';
  report.say(`changed since the copy was made: ${listOf(options.changed)}; copying again${without}`);
  const kept = options.here === undefined ? {} : { definitions: options.here.definitions };
  const replaces = state.notes.hydrate_job;
  if (isLean && replaces !== undefined) {
    await state.nextRound({ ...kept, replaces });
  } else {
    await discardCopy(journey, state);
    await state.nextRound(kept);
  }
  // The old installation is read while the new one is busy.
  let reading = options.here === undefined ? undefined : Promise.resolve(options.here);
  await copyTenant(journey, state, () => {
    reading ??= digestOf(journey, state, from);
    // Told below, unless something else fails first.
    reading.catch(() => undefined);
  });
  const [here, there] = await Promise.all([
    reading ?? digestOf(journey, state, from),
    digestOf(journey, state, to),
  ]);
  const different = changesOf(state, here, there);
  if (different.length === 0) return here;
  if (isLean && different.every(isContents)) {
    throw new MoveError(
      'failed',
      `Somebody has written to the ${listOf(different)} of the tenant meanwhile`,
      {
        hint: 'Stop that and run this again; docs/federation.md, "The pause"',
      },
    );
  }
  throw new MoveError('refused', `The copy on ${to.origin} is not the same: ${listOf(different)}`);
}

/** @throws {MoveError} `failed`: nothing is lost, and another time will do */
export function refuseLongPause(
  { options }: Journey,
  {
    changed,
    copy,
  }: {
    readonly changed: readonly string[];
    readonly copy: Pick<ComparedCopy, 'seconds' | 'leanSeconds' | 'hasSameContents'>;
  },
): void {
  const { tenant, maxPauseSeconds } = options;
  const needed = copy.hasSameContents && !changed.some(isContents) ? copy.leanSeconds : copy.seconds;
  if (changed.length === 0 || needed <= maxPauseSeconds) return;
  const seconds = Math.ceil(needed);
  throw new MoveError(
    'failed',
    `${tenant} is being written to (${listOf(changed)}), and a new copy takes about ${seconds} s, longer than its writes may wait`,
    {
      hint: `Run this again when nobody writes to it, or with --max-pause ${seconds * 2}; docs/federation.md, "The pause"`,
    },
  );
}

/** From here to the end is no place to be interrupted. */
const FLIP_MS = 60_000;

/** The copy is opened first: a request that is forwarded a moment later finds it. If the move is refused it is closed again. */
async function flip(journey: Journey, { move }: MoveState, lease: LeaseKeeper): Promise<void> {
  const { tenant } = journey.options;
  await lease.renew();
  await lease.end();
  const signal = AbortSignal.timeout(FLIP_MS);
  const [from, to] = [journey.from.withSignal(signal), journey.to.withSignal(signal)];
  await setStatus(to, tenant, move.status_before);
  try {
    const body = { freeze: lease.freeze };
    await from.call('POST', `/v1/tenants/${tenant}/move/forward`, { body, isRepeatable: true });
  } catch (error) {
    // Without an answer it may have been done; the next run looks.
    if (!(error instanceof AdminRefusal)) throw error;
    await setStatus(to, tenant, 'suspended');
    throw new MoveError('failed', error.message, { hint: error.hint, cause: error });
  }
}

export async function setStatus(to: AdminClient, tenant: string, status: string): Promise<void> {
  await to.call('PATCH', `/v1/tenants/${tenant}`, { body: { status }, isRepeatable: true });
}

export async function digestOf(journey: Journey, state: MoveState, client: AdminClient): Promise<Digest> {
  const { options, report, signal } = journey;
  const body = { passphrase: passphraseOf(journey, state) };
  const asked = parseJob(await client.call('POST', `/v1/tenants/${options.tenant}/digest`, { body }));
  const what = `reading ${options.tenant} on ${client.origin}`;
  return parseDigest((await awaitJob(client, asked.id, { what, report, signal })).result);
}

function changesOf({ notes }: MoveState, here: Digest, there: Digest): string[] {
  const changed = differences(here, there);
  if (here.definitions !== notes.definitions) changed.push('definitions');
  return changed;
}

/** Whether what has changed is beside the database. */
function isContents(what: string): boolean {
  return what === 'files' || what === 'collections';
}

function listOf(names: readonly string[]): string {
  return names.length <= 8
    ? names.join(', ')
    : `${names.slice(0, 8).join(', ')} and ${names.length - 8} more`;
}
