import type { Digest, Tenant } from './admin-answers.ts';
import { parseJob, parsePlan } from './admin-answers.ts';
import { beginJourney } from './begin-journey.ts';
import { type Journey, type MoveState, passphraseOf } from './journey.ts';
import { MoveError } from './move-error.ts';
import { awaitJob } from './run-job.ts';
import { digestOf } from './switch-over.ts';

/**
 * How much longer a whole copy takes (export, restore, reading what was restored) than reading everything once; measured, docs/federation.md. The way between the
 * installations comes on top.
 */
const COPY_TO_READ = 9;
/** Freezing, asking and flipping. */
const SWITCH_SECONDS = 1;

/**
 * Looks for what stands in the way, reads the tenant once, and says what moves and how long its writes would wait. Leaves nothing behind.
 *
 * @throws {MoveError}
 */
export async function checkMove(journey: Journey): Promise<void> {
  const { options, from, report } = journey;
  report.say('checking both installations');
  const { state, tenant, isNew } = await beginJourney(journey);
  try {
    if (state.move.state === 'forwarding' || state.move.state === 'ended') {
      throw new MoveError('conflict', `The tenant '${tenant.id}' has moved to ${state.move.to} already`);
    }
    const absent = await tryExport(journey, state);
    const since = performance.now();
    const held = await digestOf(journey, state, from);
    const readSeconds = (performance.now() - since) / 1_000;
    for (const line of findings(tenant, { held, readSeconds, options, absent })) report.say(line);
  } finally {
    if (isNew) await from.call('DELETE', `/v1/tenants/${tenant.id}/move`);
  }
}

/** Dump tools, versions, and whatever else an export needs. @returns what it would be without, in words */
async function tryExport(
  { options, from, report, signal }: Journey,
  state: MoveState,
): Promise<readonly string[]> {
  const body = { passphrase: passphraseOf({ options }, state), dry_run: true };
  const asked = parseJob(await from.call('POST', `/v1/tenants/${options.tenant}/export`, { body }));
  const { result } = await awaitJob(from, asked.id, { what: `looking at ${options.tenant}`, report, signal });
  const [, ...absent] = parsePlan(result);
  return absent;
}

/** What an operator should know before. @param about.readSeconds how long reading everything took */
export function findings(
  { id, hosts, backends: places }: Pick<Tenant, 'id' | 'hosts' | 'backends'>,
  about: {
    readonly held: Pick<Digest, 'tables' | 'files' | 'collections' | 'contents_seconds'>;
    readonly readSeconds: number;
    readonly options: Pick<Journey['options'], 'backends' | 'maxPauseSeconds'>;
    readonly absent?: readonly string[];
  },
): readonly string[] {
  const { held, readSeconds, options, absent = [] } = about;
  const rows = held.tables.reduce((sum, table) => sum + BigInt(table.rows), 0n);
  const points = held.collections.reduce((sum, collection) => sum + collection.points, 0);
  const quiet = Math.ceil(readSeconds + SWITCH_SECONDS);
  // Files and vectors that do not change meanwhile are not sent again, and read all the same.
  const contents = Math.min(held.contents_seconds, readSeconds);
  const busy = Math.ceil((readSeconds - contents) * COPY_TO_READ + contents + SWITCH_SECONDS);
  const given = typeof options.backends === 'object' ? options.backends : null;
  const goesLocal = places.storage?.kind === 's3' && !(given !== null && 'storage' in given);
  return [
    `${id} (${hosts.join(', ')}) can move: ${held.tables.length} tables with ${rows} rows, ${held.files.count} files of ${megabytes(held.files.bytes)}, ${held.collections.length} collections with ${points} points`,
    ...absent,
    ...(goesLocal
      ? ['its files are in a bucket, and would go into DATA_DIR: --backends names another one']
      : []),
    `reading all of it took ${readSeconds.toFixed(1)} s. Its writes would wait for about ${quiet} s if nobody writes while it is copied, else for about ${busy} s and the time to send it once more; reads do not wait`,
    ...(busy > options.maxPauseSeconds
      ? [
          `that is longer than its writes may wait (${options.maxPauseSeconds} s, --max-pause): move it when nobody writes to it, or see docs/federation.md, "The pause"`,
        ]
      : []),
    'nothing was changed',
  ];
}

function megabytes(bytes: number): string {
  return `${(bytes / 1_000_000).toFixed(1)} MB`;
}
