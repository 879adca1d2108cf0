import type { Readable } from 'node:stream';

/** Where the payloads lie, in the core and in whatever fills the volume. */
export const VOLUME_TARGET = '/cascata_extensions';
/** Names the job that a container was made for. */
export const JOB_LABEL = 'io.cascata.edge.job';

/** What the worker asks of a container engine, and nothing more: the proxy in front of it lets no other call through. */
export interface ContainerEngine {
  /** @returns its version. @throws {EngineError} when it does not answer */
  ping(signal: AbortSignal): Promise<string>;
  /** Pulls `repo@sha256:…`; the engine checks the digest. `onProgress` gets a fraction from 0 to 1. */
  pull(
    image: string,
    options: { signal: AbortSignal; onProgress: (fraction: number) => void },
  ): Promise<void>;
  findImage(image: string): Promise<EngineImage | undefined>;
  findContainer(name: string): Promise<EngineContainer | undefined>;
  create(spec: ContainerSpec): Promise<string>;
  /** @returns `undefined` where there is nothing, or a link that leads nowhere or in a circle */
  stat(container: string, path: string): Promise<PathStat | undefined>;
  /** A tar of a file or folder; the caller reads it to its end or destroys it. */
  readArchive(container: string, path: string): Promise<Readable>;
  /** Unpacks a tar below a folder, volumes included, whether the container runs or not. */
  writeArchive(container: string, path: string, tar: Readable): Promise<void>;
  /** Starts a container and waits for its end. @throws {EngineError} when that takes too long; the container is gone then */
  run(container: string, options: { signal: AbortSignal; timeoutMs: number }): Promise<RunResult>;
  /** Whatever state it is in, with its own volumes. Nothing happens where it is gone. */
  remove(container: string): Promise<void>;
  /** Containers that `create` made, with the job they were made for. */
  ours(): Promise<readonly { readonly id: string; readonly jobId: string }[]>;
}

export interface EngineImage {
  readonly id: string;
  /** `repo@sha256:…` under which it was pulled. */
  readonly digests: readonly string[];
}

export interface EngineContainer {
  readonly id: string;
  readonly imageId: string;
  readonly hostname: string;
  readonly env: Readonly<Record<string, string>>;
  readonly isRunning: boolean;
  readonly mounts: readonly {
    readonly target: string;
    readonly volume: string | undefined;
    readonly isWritable: boolean;
  }[];
}

export interface ContainerSpec {
  readonly image: string;
  readonly jobId: string;
  /** For humans, in the engine's list: `collect`, `stage`, `rehearse`. */
  readonly purpose: string;
  /** Absent: it is never started. */
  readonly script?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** The volume of payloads, at its place. Files of an image at that place are not copied into it. */
  readonly volume?: { readonly name: string; readonly isWritable: boolean };
  readonly capabilities?: readonly string[];
  /** As the user that the image names, instead of root. */
  readonly asImageUser?: boolean;
  /** Folders in memory. */
  readonly tmpfs?: readonly string[];
}

export interface PathStat {
  readonly bytes: number;
  readonly isDirectory: boolean;
  /** Where it really is: links are followed to their end, within the container's own root. */
  readonly path: string;
}

export interface RunResult {
  readonly status: number;
  /** Both streams, the last of it. */
  readonly output: string;
}

/** The engine is away, or would not. Trying again may help. */
export class EngineError extends Error {
  override readonly name = 'EngineError';
  /** HTTP status of the engine's answer. */
  readonly status: number | undefined;

  constructor(message: string, { status, cause }: { status?: number | undefined; cause?: unknown } = {}) {
    super(message, { cause });
    this.status = status;
  }
}

/** Makes a container for `work` and removes it whatever happens. */
export async function withContainer<T>(
  engine: ContainerEngine,
  spec: ContainerSpec,
  work: (id: string) => Promise<T>,
): Promise<T> {
  const id = await engine.create(spec);
  try {
    return await work(id);
  } finally {
    // One that stays is swept: by the next run of its job, or when a runner starts.
    await engine.remove(id).catch(() => undefined);
  }
}
