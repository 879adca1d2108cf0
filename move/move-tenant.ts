import type { Tenant } from './admin-answers.ts';
import { beginJourney } from './begin-journey.ts';
import { copyTenant, dropArchive } from './copy-tenant.ts';
import { discardCopy } from './discard-copy.ts';
import type { Journey, MoveState } from './journey.ts';
import { LeaseKeeper } from './lease-keeper.ts';
import { MoveError } from './move-error.ts';
import { type ComparedCopy, compareAhead, refuseLongPause, setStatus, switchOver } from './switch-over.ts';

/** For what has to be done although the move was interrupted. */
const AFTERWARDS_MS = 10_000;

/**
 * Moves a tenant, or goes on with a move that was interrupted. What stands in the way for good has everything taken back.
 *
 * @throws {MoveError}
 */
export async function moveTenant(journey: Journey): Promise<void> {
  const { report, from, to } = journey;
  report.say('checking both installations');
  const { state, tenant } = await beginJourney(journey);
  if (state.move.state === 'ended') {
    throw new MoveError('conflict', `The tenant '${tenant.id}' has moved to ${to.origin}, and that is over`);
  }
  if (state.move.state !== 'forwarding') {
    try {
      await travel(journey, state);
    } catch (error) {
      await afterFailure(journey, state, error);
      throw error;
    }
  }
  await dropArchive(journey, state);
  report.say(farewell({ tenant, gateway: state.move.gateway_url, from: from.origin, to: to.origin }));
}

/** Takes back a move that has not been completed. @throws {MoveError} */
export async function undoMove(journey: Journey): Promise<void> {
  const { options, from, report } = journey;
  if ((await from.find(`/v1/tenants/${options.tenant}/move`)) === undefined) {
    report.say(`${options.tenant} is not on its way anywhere`);
    return;
  }
  const { state } = await beginJourney(journey);
  if (state.move.state === 'forwarding' || state.move.state === 'ended') {
    throw new MoveError('conflict', `The tenant '${options.tenant}' has moved to ${state.move.to} already`, {
      hint: 'docs/federation.md, "The way back"',
    });
  }
  await takeBack(journey, state);
}

async function travel(journey: Journey, state: MoveState): Promise<void> {
  const { options, from, to, report, signal } = journey;
  // One that was killed may have left its freeze behind.
  await from.call('POST', `/v1/tenants/${options.tenant}/move/unfreeze`, { isRepeatable: true });
  const copy = await freshCopy(journey, state);
  refuseLongPause(journey, { changed: copy.changed, copy });
  report.say(`holding the writes of ${options.tenant}: reads go on`);
  const lease = new LeaseKeeper(from, options.tenant, options.leaseSeconds);
  await lease.begin();
  const tooLong = new AbortController();
  const timer = setTimeout(() => tooLong.abort(pauseIsOver(journey)), options.maxPauseSeconds * 1_000);
  const within = AbortSignal.any([signal, lease.lost, tooLong.signal]);
  try {
    const [here, there] = [from.withSignal(within), to.withSignal(within)];
    await switchOver({ ...journey, from: here, to: there, signal: within }, state, { lease, copy });
  } catch (error) {
    // Whoever waited for something was told that it was aborted, and not why.
    throw within.reason instanceof MoveError ? within.reason : error;
  } finally {
    clearTimeout(timer);
    await lease.end();
  }
}

/** One that was compared with the tenant. What an earlier run has left, and is of no use any more, is replaced while writes still go on. */
async function freshCopy(journey: Journey, state: MoveState): Promise<ComparedCopy> {
  const compared = async () => {
    const copy = await copyTenant(journey, state);
    // An earlier run may have opened it and not come further.
    await setStatus(journey.to, journey.options.tenant, 'suspended');
    return compareAhead(journey, state, copy);
  };
  const copy = await compared();
  if (!copy.isOld || copy.changed.length === 0) return copy;
  journey.report.say('an earlier run has left a copy that is no longer the same; copying again');
  await discardCopy(journey, state);
  await state.nextRound();
  return compared();
}

function pauseIsOver({ options }: Journey): MoveError {
  const { tenant, maxPauseSeconds } = options;
  return new MoveError(
    'failed',
    `The writes of ${tenant} have waited for ${maxPauseSeconds} s, as long as they may, and go on where they were`,
    {
      hint: 'Run this again: it goes on from here. --max-pause gives it longer; docs/federation.md, "The pause"',
    },
  );
}

/** Writes go on at once. What was copied stays for the next run when this one was only interrupted. */
async function afterFailure(journey: Journey, state: MoveState, error: unknown): Promise<void> {
  const { options, report } = journey;
  const signal = AbortSignal.timeout(AFTERWARDS_MS);
  const from = journey.from.withSignal(signal);
  // A freeze that cannot be ended by us ends by itself.
  await from
    .call('POST', `/v1/tenants/${options.tenant}/move/unfreeze`, { isRepeatable: true })
    .catch(() => undefined);
  const isForGood = error instanceof MoveError && (error.exitCode === 5 || error.exitCode === 6);
  if (!isForGood || journey.signal.aborted) return;
  const patient = AbortSignal.timeout(AFTERWARDS_MS * 6);
  const again = {
    ...journey,
    from: journey.from.withSignal(patient),
    to: journey.to.withSignal(patient),
    signal: patient,
  };
  try {
    await takeBack(again, state);
  } catch {
    report.say(`what was copied is still there; --undo takes it back`);
  }
}

async function takeBack(journey: Journey, state: MoveState): Promise<void> {
  const { options, from, to, report } = journey;
  await discardCopy(journey, state);
  await from.call('DELETE', `/v1/tenants/${options.tenant}/move`);
  report.say(`taken back: ${options.tenant} is on ${from.origin} as it was, and not on ${to.origin}`);
}

function farewell(at: {
  readonly tenant: Tenant;
  readonly gateway: string;
  readonly from: string;
  readonly to: string;
}): string {
  const { tenant, gateway, from, to } = at;
  const { hostname } = new URL(gateway);
  return [
    `${tenant.id} is on ${to} now; the gateway of ${from} sends its requests to ${gateway}.`,
    'Change DNS, so that clients get there by themselves:',
    ...tenant.hosts.map((host) => `  ${host}  →  where ${hostname} leads to`),
    `Once that has spread (the records' TTL) and cascata_forwarded_requests_total of the old gateway stands still, end the forwarding:`,
    `  curl -X DELETE ${from}/v1/tenants/${tenant.id}/forward -H "Authorization: Bearer $CASCATA_FROM_TOKEN"`,
    `and drop the old copy (with "&contents=delete" its files and vectors too):`,
    `  curl -X DELETE '${from}/v1/tenants/${tenant.id}?confirm=${tenant.id}' -H "Authorization: Bearer $CASCATA_FROM_TOKEN"`,
  ].join('\n');
}
