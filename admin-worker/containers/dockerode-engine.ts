import type { Readable } from 'node:stream';
import Docker from 'dockerode';
import {
  type ContainerEngine,
  type ContainerSpec,
  type EngineContainer,
  EngineError,
  JOB_LABEL,
  type PathStat,
  VOLUME_TARGET,
} from './container-engine.ts';
import { PullProgress } from './pull-progress.ts';

const PURPOSE_LABEL = 'io.cascata.edge.purpose';
const MAX_LOG_CHARACTERS = 8_000;
const MEMORY_BYTES = 1_024 ** 3;
const MAX_PIDS = 200;
const LINK_BIT = 0x8000000;
const DIRECTORY_BIT = 0x80000000;

/**
 * Docker's own API by way of dockerode.
 *
 * @param address `unix:///var/run/docker.sock`, or `tcp://host:port` of the proxy in front of it
 */
export function dockerodeEngine(address: string): ContainerEngine {
  const docker = new Docker(connectionOf(address));
  const container = (id: string) => docker.getContainer(id);
  return {
    ping: (signal) =>
      told('The container engine does not answer', async () => {
        const version = await unlessAborted(docker.version(), signal);
        return version.Version;
      }),

    pull: (image, { signal, onProgress }) =>
      told(`The image ${image} could not be pulled`, async () => {
        const stream = (await docker.pull(image, { abortSignal: signal })) as Readable;
        const progress = new PullProgress();
        const { promise, resolve, reject } = Promise.withResolvers<void>();
        const stop = () => stream.destroy(new Error('aborted'));
        signal.addEventListener('abort', stop, { once: true });
        docker.modem.followProgress(
          stream,
          (error) => (error === null ? resolve() : reject(error)),
          (event: unknown) => {
            // The answer has begun with 200 by then: a layer that is cut off, a digest that is not the one that was asked for.
            const problem = problemOf(event);
            if (problem === undefined) onProgress(progress.add(event));
            else reject(new Error(problem));
          },
        );
        try {
          await promise;
        } finally {
          signal.removeEventListener('abort', stop);
        }
      }),

    findImage: (image) =>
      found(`The image ${image} could not be inspected`, async () => {
        const { Id, RepoDigests } = await docker.getImage(image).inspect();
        return { id: Id, digests: RepoDigests ?? [] };
      }),

    findContainer: (name) =>
      found(`The container ${name} could not be inspected`, async () =>
        containerOf(await container(name).inspect()),
      ),

    create: (spec) =>
      told(
        `A container of ${spec.image} could not be made`,
        async () => (await docker.createContainer(optionsOf(spec))).id,
      ),

    stat: async (id, path) => {
      try {
        return await found(`${path} could not be looked up`, () => statOf(container(id), path));
      } catch (error) {
        // A circle of links is the engine's own error 500, and the answer to HEAD has no words.
        if (error instanceof EngineError && error.status === 500 && (await isCircle(container(id), path)))
          return undefined;
        throw error;
      }
    },

    readArchive: (id, path) =>
      told(`${path} could not be read`, async () => (await container(id).getArchive({ path })) as Readable),

    writeArchive: (id, path, tar) =>
      told(`${path} could not be written`, async () => {
        // The whole answer is there when this resolves.
        await container(id).putArchive(tar, { path });
      }),

    run: (id, { signal, timeoutMs }) =>
      told('A container did not run to its end', async () => {
        const late = AbortSignal.timeout(timeoutMs);
        const either = AbortSignal.any([signal, late]);
        const stop = () =>
          void container(id)
            .remove({ force: true, v: true })
            .catch(() => undefined);
        either.addEventListener('abort', stop, { once: true });
        try {
          await container(id).start();
          const { StatusCode } = await container(id).wait({ abortSignal: either });
          const log = await container(id).logs({ stdout: true, stderr: true, follow: false });
          return { status: Number(StatusCode), output: textOfLog(log).slice(-MAX_LOG_CHARACTERS) };
        } catch (error) {
          signal.throwIfAborted();
          if (late.aborted) throw new EngineError(`A container did not end within ${timeoutMs / 1_000} s`);
          throw error;
        } finally {
          either.removeEventListener('abort', stop);
        }
      }),

    remove: async (id) => {
      await found('A container could not be removed', async () => {
        await container(id).remove({ force: true, v: true });
        return true;
      });
    },

    ours: () =>
      told('Containers could not be listed', async () => {
        const all = await docker.listContainers({ all: true, filters: { label: [JOB_LABEL] } });
        return all.map(({ Id, Labels }) => ({ id: Id, jobId: Labels[JOB_LABEL] ?? '' }));
      }),
  };
}

function connectionOf(address: string): Docker.DockerOptions {
  const url = new URL(address);
  if (url.protocol === 'unix:') return { socketPath: decodeURIComponent(url.pathname) };
  return { protocol: 'http', host: url.hostname, port: Number(url.port || 2375) };
}

function optionsOf({
  image,
  jobId,
  purpose,
  script,
  env = {},
  volume,
  capabilities = [],
  asImageUser = false,
  tmpfs = [],
}: ContainerSpec): Docker.ContainerCreateOptions {
  return {
    Image: image,
    Labels: { [JOB_LABEL]: jobId, [PURPOSE_LABEL]: purpose },
    // A container that is never started needs a command all the same: images may have none.
    Entrypoint: ['/bin/sh', '-c'],
    Cmd: [script ?? 'exit 1'],
    ...(asImageUser ? {} : { User: '0:0' }),
    Env: Object.entries(env).map(([name, value]) => `${name}=${value}`),
    NetworkDisabled: true,
    HostConfig: {
      NetworkMode: 'none',
      CapDrop: ['ALL'],
      CapAdd: [...capabilities],
      SecurityOpt: ['no-new-privileges'],
      PidsLimit: MAX_PIDS,
      Memory: MEMORY_BYTES,
      Init: true,
      Tmpfs: Object.fromEntries(tmpfs.map((path) => [path, 'rw,exec'])),
      Mounts:
        volume === undefined
          ? []
          : [
              {
                Type: 'volume',
                Source: volume.name,
                Target: VOLUME_TARGET,
                ReadOnly: !volume.isWritable,
                // Else an empty volume would be filled with what an image has at that place.
                VolumeOptions: { NoCopy: true, Labels: {}, DriverConfig: { Name: 'local', Options: {} } },
              },
            ],
    },
  };
}

function containerOf(info: Docker.ContainerInspectInfo): EngineContainer {
  const pairs = info.Config.Env.map((line) => [
    line.slice(0, line.indexOf('=')),
    line.slice(line.indexOf('=') + 1),
  ]);
  return {
    id: info.Id,
    imageId: info.Image,
    hostname: info.Config.Hostname,
    env: Object.fromEntries(pairs),
    isRunning: info.State.Running,
    mounts: info.Mounts.map(({ Destination, Name, RW }) => ({
      target: Destination,
      volume: Name,
      isWritable: RW,
    })),
  };
}

async function statOf(container: Docker.Container, path: string): Promise<PathStat | undefined> {
  const answer: Readable & { readonly headers: Readonly<Record<string, unknown>> } =
    await container.infoArchive({ path });
  // An answer that nobody reads keeps its socket, and the process with it.
  answer.resume();
  const header = String(answer.headers['x-docker-container-path-stat'] ?? '');
  const stat: unknown = JSON.parse(Buffer.from(header, 'base64').toString());
  const field = (name: string): unknown =>
    typeof stat === 'object' && stat !== null ? Reflect.get(stat, name) : undefined;
  const target = field('linkTarget');
  const mode = Number(field('mode'));
  if ((mode & LINK_BIT) !== 0 && typeof target === 'string' && target !== '' && target !== path)
    return statOf(container, target);
  return { bytes: Number(field('size')), isDirectory: Math.floor(mode / DIRECTORY_BIT) % 2 === 1, path };
}

async function isCircle(container: Docker.Container, path: string): Promise<boolean> {
  try {
    ((await container.getArchive({ path })) as Readable).destroy();
    return false;
  } catch (error) {
    return /too many links|too many levels/i.test(String(error));
  }
}

/** What an engine says has gone wrong, in the midst of what it tells of its progress. */
function problemOf(event: unknown): string | undefined {
  const problem = typeof event === 'object' && event !== null ? Reflect.get(event, 'error') : undefined;
  return typeof problem === 'string' ? problem : undefined;
}

/** Without a terminal the engine sends both streams in frames: eight bytes, of which the last four are the length. */
function textOfLog(log: Buffer): string {
  const parts: Buffer[] = [];
  for (let at = 0; at + 8 <= log.length; ) {
    const length = log.readUInt32BE(at + 4);
    parts.push(log.subarray(at + 8, at + 8 + length));
    at += 8 + length;
  }
  return Buffer.concat(parts).toString('utf8');
}

function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const stop = () => reject(new Error('it took too long'));
  if (signal.aborted) stop();
  signal.addEventListener('abort', stop, { once: true });
  return Promise.race([work, promise]).finally(() => signal.removeEventListener('abort', stop));
}

async function told<T>(message: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof EngineError) throw error;
    const status = statusOf(error);
    const reason = error instanceof Error ? error.message : String(error);
    throw new EngineError(`${message}: ${reason}`, { status, cause: error });
  }
}

async function found<T>(message: string, work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await told(message, work);
  } catch (error) {
    if (error instanceof EngineError && error.status === 404) return undefined;
    throw error;
  }
}

function statusOf(error: unknown): number | undefined {
  const status = error instanceof Error && 'statusCode' in error ? error.statusCode : undefined;
  return typeof status === 'number' ? status : undefined;
}
