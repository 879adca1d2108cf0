import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { ClientBase, Pool } from 'pg';
import type { Bundle } from '../catalogue/catalogue-entry.ts';
import { JobError } from '../jobs/job.ts';
import { collectPayload } from './collect-payload.ts';
import { withContainer } from './container-engine.ts';
import { type ControlFile, parseControlFile } from './control-file.ts';
import { type Core, readCore } from './core-facts.ts';
import { ImageFiles } from './image-files.ts';
import { judgePayload } from './judge-payload.ts';
import { payloadDigest, renderManifest } from './manifest.ts';
import type { CoreFacts, Payload } from './payload.ts';
import { stagePayload, type VolumeOptions } from './payload-volume.ts';
import type { PhantomServices } from './phantom-services.ts';

export interface InjectionContext {
  readonly phantom: PhantomServices;
  /** Superuser connection to the server. */
  readonly db: Pick<ClientBase | Pool, 'query'>;
  readonly jobId: string;
  readonly signal: AbortSignal;
  log(line: string): void;
  /** Does a part of it and keeps its seconds. */
  measure<T>(part: string, work: () => Promise<T>): Promise<T>;
}

/** The image an operator has pinned for a bundle, or that the catalogue has. @throws {JobError} */
export function pinnedImage(phantom: PhantomServices, bundle: Bundle): string {
  const { name, repository } = bundle;
  const pinned = findPinned(phantom, bundle);
  if (pinned !== undefined) return pinned;
  throw new JobError(`No image is pinned for the bundle '${name}'`, {
    code: 'not_pinned',
    hint: `\`npm run pin-images\` pins it where its registry can be reached; or set extensions.images.${name} to ${repository ?? '<repository>'}@sha256:<digest>. Tags move, so they are never pulled`,
  });
}

/** Whether there is an image to bring it from. */
export function isPinned(phantom: PhantomServices, bundle: Bundle): boolean {
  return findPinned(phantom, bundle) !== undefined;
}

function findPinned({ images }: PhantomServices, { name, repository, digest }: Bundle): string | undefined {
  if (images[name] !== undefined) return images[name];
  return repository === undefined || digest === undefined ? undefined : `${repository}@${digest}`;
}

/** Pulls it unless it is there. */
export async function pullImage(
  { phantom, signal, log }: InjectionContext,
  image: string,
  onProgress: (fraction: number) => void,
): Promise<void> {
  if ((await phantom.engine.findImage(image)) !== undefined) return log(`${image} is there already`);
  await phantom.engine.pull(image, { signal, onProgress }).catch((error: unknown) => {
    const text = error instanceof Error ? error.message : String(error);
    // What a registry does not have, or has with other bytes, it will have no better in a second.
    if (/manifest unknown|not found|denied|unauthorized|invalid reference|verification failed/i.test(text))
      throw new JobError(text, {
        code: 'pull',
        hint: 'Check the reference that is pinned with extensions.images',
        cause: error,
      });
    throw error;
  });
  log(`${image} pulled`);
}

export function openCore({ phantom, db, measure }: InjectionContext): Promise<Core> {
  const { engine, coreContainer, key } = phantom;
  return measure('facts', () => readCore({ engine, coreContainer, db, key }));
}

export function volumeOptions({ phantom, jobId, signal }: InjectionContext, core: Core): VolumeOptions {
  return { engine: phantom.engine, volume: core.volume, image: core.facts.image, jobId, signal };
}

export interface CollectedBundle {
  readonly payload: Payload;
  readonly facts: CoreFacts;
  readonly digest: string;
  /** Schemas that control files fix, by extension. */
  readonly schemas: Readonly<Record<string, string | null>>;
}

export interface InjectedBundle extends Omit<CollectedBundle, 'payload' | 'facts'> {
  readonly manifest: string;
  /** Versions that the control files give by default, by extension. */
  readonly defaults: Readonly<Record<string, string>>;
}

/**
 * Takes a bundle's files out of its image and judges them; `work` has them in the spool.
 *
 * @throws {JobError} with every rule that is broken, when one is
 */
export async function withCollected<T>(
  context: InjectionContext,
  { bundle, wanted, image, core, mayBeTrusted }: CollectRequest,
  work: (collected: CollectedBundle) => Promise<T>,
): Promise<T> {
  const { phantom, jobId, signal, log, measure } = context;
  const { engine } = phantom;
  const spoolDir = join(phantom.spoolDir, jobId);
  await rm(spoolDir, { recursive: true, force: true });
  await mkdir(spoolDir, { recursive: true, mode: 0o700 });
  try {
    // Made and never started: nothing of the image runs, and it needs no shell.
    const { payload, core: facts } = await measure('collect', () =>
      withContainer(engine, { image, jobId, purpose: 'collect' }, (container) =>
        collectPayload({
          bundle,
          // What is published stays, and what was: databases may have it.
          wanted: [
            ...wanted,
            ...[core.manifests, core.setAside].flatMap(
              (manifests) => manifests.get(bundle.name)?.manifest?.extensions ?? [],
            ),
          ],
          core,
          files: new ImageFiles({ engine, container, spoolDir, signal }),
        }),
      ),
    );
    const bytes = payload.files.reduce((sum, file) => sum + file.bytes, 0);
    log(`${payload.files.length} files, ${(bytes / 1e6).toFixed(1)} MB: ${payload.extensions.join(', ')}`);
    const others = [...core.manifests].flatMap(([name, { manifest }]) =>
      name === bundle.name || manifest === undefined ? [] : [{ bundle: name, files: manifest.files }],
    );
    await measure('judge', async () => refuse(judgePayload({ payload, core: facts, others, mayBeTrusted })));
    return await work({ payload, facts, digest: payloadDigest(payload.files), schemas: schemasOf(payload) });
  } finally {
    await rm(spoolDir, { recursive: true, force: true });
  }
}

export interface CollectRequest {
  readonly bundle: Bundle;
  readonly wanted: readonly string[];
  readonly image: string;
  readonly core: Core;
  readonly mayBeTrusted: ReadonlySet<string>;
  /** A version that one of its extensions has to have. */
  readonly version?: { readonly extension: string; readonly version: string } | undefined;
}

/** Puts what was judged on the volume, and signs for it. */
export async function stageBundle(
  context: InjectionContext,
  request: CollectRequest,
): Promise<InjectedBundle> {
  const { bundle, image, core } = request;
  return withCollected(context, request, async ({ payload, facts, digest, schemas }) => {
    if (request.version !== undefined) requireVersion(payload, request.version);
    await context.measure('upload', () =>
      stagePayload(volumeOptions(context, core), { bundle: bundle.name, digest, files: payload.files }),
    );
    const manifest = renderManifest(
      {
        pg: facts.pg,
        arch: facts.arch,
        libc: facts.libc,
        core: facts.image,
        image,
        bundle: bundle.name,
        digest,
        extensions: payload.extensions,
        files: payload.files.map(({ sha256, kind, name }) => ({ sha256, kind, name })),
      },
      context.phantom.key,
    );
    return { digest, schemas, manifest, defaults: defaultsOf(payload) };
  });
}

/** Before anything is staged: `CREATE EXTENSION` would only find out when the files are in the server. */
function requireVersion(
  { files }: Payload,
  { extension, version }: NonNullable<CollectRequest['version']>,
): void {
  const versions = new Set(
    files.flatMap(({ kind, name }) => {
      if (kind !== 'sql' || !name.startsWith(`${extension}--`)) return [];
      return [
        name
          .slice(extension.length + 2, -'.sql'.length)
          .split('--')
          .at(-1) ?? '',
      ];
    }),
  );
  if (versions.has(version)) return;
  throw new JobError(
    `The image that is pinned does not have the extension '${extension}' in version ${version}; it has ${[...versions].toSorted((a, b) => a.localeCompare(b, 'en', { numeric: true })).join(', ')}`,
    { code: 'not_available', hint: 'Pin an image of that version with the setting extensions.images' },
  );
}

/** The version that `CREATE EXTENSION` and `ALTER EXTENSION … UPDATE` give, by extension. */
function defaultsOf(payload: Payload): Readonly<Record<string, string>> {
  return Object.fromEntries(
    payload.extensions.flatMap((name) => {
      const version = controlOf(payload, name)?.defaultVersion;
      return version === undefined ? [] : [[name, version]];
    }),
  );
}

/** Schemas that control files fix, by extension; `null`: none. */
export function schemasOf(
  payload: Pick<Payload, 'extensions' | 'files'>,
): Readonly<Record<string, string | null>> {
  return Object.fromEntries(
    payload.extensions.map((name) => [name, controlOf(payload, name)?.schema ?? null]),
  );
}

function controlOf({ files }: Pick<Payload, 'files'>, extension: string): ControlFile | undefined {
  const description = files.find(({ name }) => name === `${extension}.control`)?.description;
  return description?.kind === 'text' ? parseControlFile(description.text) : undefined;
}

function refuse(refusals: ReturnType<typeof judgePayload>): void {
  const [first, ...more] = refusals;
  if (first === undefined) return;
  throw new JobError(`The image cannot be used: ${first.message}`, {
    code: first.rule,
    hint: first.hint,
    details:
      more.length === 0
        ? undefined
        : more
            .slice(0, 20)
            .map(({ message }) => message)
            .join('\n'),
  });
}
