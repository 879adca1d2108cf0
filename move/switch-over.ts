import type { Digest } from './admin-answers.ts';
import { parseDigest, parseJob } from './admin-answers.ts';
import type { AdminClient } from './admin-client.ts';
import { differences } from './compare.ts';
import { copyTenant } from './copy-tenant.ts';
import { discardCopy } from './discard-copy.ts';
import { type Journey, type MoveState, passphraseOf } from './journey.ts';
import type { LeaseKeeper } from './lease-keeper.ts';
import { AdminRefusal, MoveError } from './move-error.ts';
import { awaitJob } from './run-job.ts';

/** While writes wait: compares both copies, makes a new one if the tenant has changed since, and leaves the tenant at the other installation. @throws {MoveError} */
export async function switchOver(journey: Journey, state: MoveState, lease: LeaseKeeper): Promise<void> {
  const { options, from, to, report } = journey;
  report.say(`comparing ${options.tenant} on both sides`);
  const [here, there] = await Promise.all([digestOf(journey, state, from), digestOf(journey, state, to)]);
  const changed = differences(here, there);
  if (here.definitions !== state.notes.definitions) changed.push('definitions');
  if (changed.length > 0) {
    report.say(`changed since the copy was made: ${listOf(changed)}; copying again`);
    await discardCopy(journey, state);
    await state.nextRound(here.definitions);
    await copyTenant(journey, state);
    report.say(`comparing ${options.tenant} on both sides`);
    const different = differences(here, await digestOf(journey, state, to));
    if (different.length > 0) {
      throw new MoveError('refused', `The copy on ${to.origin} is not the same: ${listOf(different)}`);
    }
  }
  report.say(`both sides are the same: ${here.tables.length} tables with ${rowsOf(here)} rows`);
  await flip(journey, state, lease);
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

async function digestOf(journey: Journey, state: MoveState, client: AdminClient): Promise<Digest> {
  const { options, report, signal } = journey;
  const body = { passphrase: passphraseOf(journey, state) };
  const asked = parseJob(await client.call('POST', `/v1/tenants/${options.tenant}/digest`, { body }));
  const what = `reading ${options.tenant} on ${client.origin}`;
  return parseDigest((await awaitJob(client, asked.id, { what, report, signal })).result);
}

function listOf(names: readonly string[]): string {
  return names.length <= 8
    ? names.join(', ')
    : `${names.slice(0, 8).join(', ')} and ${names.length - 8} more`;
}

function rowsOf({ tables }: Digest): bigint {
  return tables.reduce((sum, { rows }) => sum + BigInt(rows), 0n);
}
