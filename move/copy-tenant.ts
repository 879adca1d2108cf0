import {
  type Job,
  parseArchive,
  parseContentsSeconds,
  parseDefinitions,
  parseJob,
  parseJobs,
  parseUpload,
} from './admin-answers.ts';
import { type Journey, type MoveState, passphraseOf } from './journey.ts';
import { AdminRefusal, MoveError } from './move-error.ts';
import { awaitJob } from './run-job.ts';
import { sendArchive } from './send-archive.ts';

export interface Copy {
  /** How long it took to make, all in all; another one will take about as long. */
  readonly seconds: number;
  /** The same without files and vectors. */
  readonly leanSeconds: number;
  /** An earlier run of this command has made it. */
  readonly isOld: boolean;
}

/**
 * Makes a copy of the tenant at the other installation, suspended, or finishes the one that was begun.
 *
 * @param onExported called when the tenant's own installation has nothing more to do for it
 * @throws {MoveError}
 */
export async function copyTenant(
  journey: Journey,
  state: MoveState,
  onExported: () => void = () => undefined,
): Promise<Copy> {
  const { options, to, report, signal } = journey;
  const { tenant } = options;
  const known = state.notes.hydrate_job;
  const hydrateJob = known ?? (await hydrate(journey, state, onExported));
  const hydrated = await awaitJob(to, hydrateJob, { what: `hydrating ${tenant}`, report, signal });
  if ((await to.find(`/v1/tenants/${tenant}`)) === undefined) {
    // An earlier run was about to make another copy, and had dropped this one.
    await state.nextRound();
    return copyTenant(journey, state, onExported);
  }
  await dropArchive(journey, state);
  const { sent_seconds: sent = 0, lean_seconds: lean = sent } = state.notes;
  const seconds = secondsOf(hydrated);
  return {
    seconds: sent + seconds,
    leanSeconds: lean + seconds - parseContentsSeconds(hydrated.result),
    isOld: known !== undefined,
  };
}

/** How long a job that has ended took. */
export function secondsOf({ started_at, finished_at }: Job): number {
  return started_at === null || finished_at === null
    ? 0
    : (Date.parse(finished_at) - Date.parse(started_at)) / 1_000;
}

/** @returns id of the job */
async function hydrate(journey: Journey, state: MoveState, onExported: () => void): Promise<string> {
  const { options, from, to, report, signal } = journey;
  const { tenant } = options;
  const passphrase = passphraseOf(journey, state);
  if (state.notes.definitions === undefined) {
    await state.note({ definitions: await definitionsOf(journey, passphrase) });
  }
  const exportJob = state.notes.export_job ?? (await exportTenant(journey, { state, passphrase }));
  const exported = await awaitJob(from, exportJob, { what: `exporting ${tenant}`, report, signal });
  onExported();
  const { size, contents_seconds: contents } = parseArchive(exported.result);
  const sendingSince = performance.now();
  const upload = await uploadOf(journey, state);
  // It is gone once it was hydrated: an earlier run ended before it could note that.
  if (upload === undefined) return noteHydrated(journey, state);
  report.say(`sending ${(size / 1_000_000).toFixed(1)} MB to ${to.origin}`);
  await sendArchive({ from, to, job: exportJob, upload, size, report, signal });
  const asked = {
    body: {
      upload,
      passphrase,
      status: 'suspended',
      ...(state.notes.replaces === undefined ? {} : { replaces: state.notes.replaces }),
      ...(options.isolation === undefined ? {} : { isolation: options.isolation }),
      ...(options.backends === undefined ? {} : { backends: options.backends }),
    },
    headers: state.jobKey('hydrate'),
    isRepeatable: true,
  };
  const job = parseJob(await to.call('POST', '/v1/hydrate', asked));
  const [exporting, sending] = [secondsOf(exported), (performance.now() - sendingSince) / 1_000];
  // Bytes of files and vectors take their share of the way, as they did of the time before it.
  const share = exporting === 0 ? 1 : Math.max(0, 1 - contents / exporting);
  await state.note({
    hydrate_job: job.id,
    sent_seconds: exporting + sending,
    lean_seconds: (exporting + sending) * share,
  });
  return job.id;
}

async function exportTenant(
  { options, from }: Journey,
  { state, passphrase }: { readonly state: MoveState; readonly passphrase: string },
): Promise<string> {
  const body = {
    passphrase,
    ...(state.notes.replaces === undefined ? {} : { leave_out: ['files', 'vectors'] }),
  };
  const asked = { body, headers: state.jobKey('export'), isRepeatable: true };
  const job = parseJob(await from.call('POST', `/v1/tenants/${options.tenant}/export`, asked));
  await state.note({ export_job: job.id });
  return job.id;
}

async function noteHydrated({ options, to }: Journey, state: MoveState): Promise<string> {
  const query = `tenant=${options.tenant}&kind=hydrate-caf&state=completed&limit=1`;
  const [job] = parseJobs(await to.call('GET', `/v1/jobs?${query}`));
  if (job === undefined) {
    throw new MoveError('refused', `${to.origin} no longer has the archive that was sent there`);
  }
  await state.note({ hydrate_job: job.id });
  return job.id;
}

/** The archive has done its duty; it holds all of the tenant. */
export async function dropArchive({ from }: Journey, { notes }: MoveState): Promise<void> {
  if (notes.export_job === undefined) return;
  await ignoreMissing(from.call('DELETE', `/v1/jobs/${notes.export_job}/archive`));
}

export async function ignoreMissing(work: Promise<unknown>): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (!(error instanceof AdminRefusal && error.status === 404)) throw error;
  }
}

async function definitionsOf(
  { options, from, report, signal }: Journey,
  passphrase: string,
): Promise<string> {
  const body = { passphrase, what: 'definitions' };
  const asked = parseJob(await from.call('POST', `/v1/tenants/${options.tenant}/digest`, { body }));
  const job = await awaitJob(from, asked.id, { what: `looking at ${options.tenant}`, report, signal });
  return parseDefinitions(job.result);
}

/** The one that was begun, or a new one. @returns `undefined` when it was begun and is gone */
async function uploadOf({ to }: Journey, state: MoveState): Promise<string | undefined> {
  const known = state.notes.upload;
  if (known !== undefined) return (await to.find(`/v1/uploads/${known}`)) === undefined ? undefined : known;
  const { id } = parseUpload(await to.call('POST', '/v1/uploads'));
  await state.note({ upload: id });
  return id;
}
