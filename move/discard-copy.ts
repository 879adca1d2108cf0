import { parseJob, parseTenant } from './admin-answers.ts';
import type { AdminClient } from './admin-client.ts';
import { dropArchive, ignoreMissing } from './copy-tenant.ts';
import type { Journey, MoveState } from './journey.ts';
import { AdminRefusal, MoveError } from './move-error.ts';
import { endOf } from './run-job.ts';

/**
 * Takes back what this move has made so far: the copy at the other installation, the upload, the archive. A tenant that somebody else made there stays.
 *
 * @throws {MoveError}
 */
export async function discardCopy(journey: Journey, state: MoveState): Promise<void> {
  const { from, to, signal } = journey;
  const { export_job: exportJob, upload, hydrate_job: hydrateJob, replaces } = state.notes;
  if (exportJob !== undefined) await stopJob(from, exportJob, signal);
  await dropArchive(journey, state);
  if (hydrateJob !== undefined) await dropHydrated(journey, hydrateJob);
  // Of the copy before, where the new one had not come so far as to replace it.
  if (replaces !== undefined) await dropHydrated(journey, replaces);
  if (upload !== undefined) await ignoreMissing(to.call('DELETE', `/v1/uploads/${upload}`));
}

async function dropHydrated({ options, to, signal }: Journey, hydrateJob: string): Promise<void> {
  await stopJob(to, hydrateJob, signal);
  const known = await to.find(`/v1/jobs/${hydrateJob}`);
  const found = await to.find(`/v1/tenants/${options.tenant}`);
  if (known === undefined || found === undefined) return;
  const job = parseJob(known);
  if (job.state !== 'completed') return;
  const { id, created_at: at } = parseTenant(found);
  const isOurs = at >= (job.started_at ?? at) && at <= (job.finished_at ?? '');
  if (!isOurs) {
    throw new MoveError('conflict', `${to.origin} has a tenant '${id}' that this move has not made`);
  }
  await ignoreMissing(to.call('DELETE', `/v1/tenants/${id}?confirm=${id}&contents=delete`));
}

/** Cancelled jobs take back what they did. */
async function stopJob(client: AdminClient, id: string, signal: AbortSignal): Promise<void> {
  if ((await client.find(`/v1/jobs/${id}`)) === undefined) return;
  try {
    await client.call('POST', `/v1/jobs/${id}/cancel`, { isRepeatable: true });
  } catch (error) {
    // Past the point where it could be cancelled: it ends by itself.
    if (!(error instanceof AdminRefusal && error.status === 409)) throw error;
  }
  await endOf(client, id, signal);
}
