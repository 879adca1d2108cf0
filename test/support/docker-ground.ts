import { execFile, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { test } from 'vitest';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const TOOL = fileURLToPath(new URL('../tools/docker-engine.sh', import.meta.url));
/** What the repository's own Dockerfile makes of the stand-in for the official Debian image. */
const CORE_IMAGE = 'cascata-test/core:17';
const run = promisify(execFile);

/** A real container engine with a registry, and the images that test/tools/docker-images makes. */
export interface DockerGround {
  /** Of the engine, for dockerode; `dockerHost` says the same as DOCKER_HOST. */
  readonly socketPath: string;
  readonly dockerHost: string;
  /** `localhost:<port>/cascata`: the repositories below it are the ones that may be pulled. */
  readonly registry: string;
  /** Extension images by name (`postgis`, `pgvector`, `pgtap`, `wrong-major` …), as `repository@sha256:…`. None is in the engine: using one means pulling it. */
  readonly images: Readonly<Record<string, string>>;
  /** The core, built from docker/postgres/Dockerfile: PostgreSQL 17 of Debian, the linker, pg_cron and pg_stat_statements. */
  readonly coreImage: string;
  /** Folder with one tree of unpacked files for each extension image. */
  readonly trees: string;
  /** Runs the docker program; returns what it printed. @throws {Error} with its error output */
  docker(...args: readonly string[]): Promise<string>;
  /** Everything that a container printed. */
  logs(container: string): Promise<string>;
  /** Wants the engine no more; with its last user it ends, and all containers with it. */
  stop(): Promise<void>;
}

interface Places {
  readonly dockerHost: string;
  readonly images: string;
  readonly registry: string;
  readonly trees: string;
  readonly config: string;
}

/**
 * Why tests with a container engine cannot run here, said loudly on the error output; `undefined` when they can. Where an engine is required
 * (CASCATA_REQUIRE_DOCKER, set by CI) a missing one is a failing test instead.
 */
export function whyNoDockerGround(): string | undefined {
  const reason = findReason();
  if (reason === undefined) return undefined;
  process.stderr.write(`\nNOT TESTED with a container engine: ${reason}.\n\n`);
  if (process.env.CASCATA_REQUIRE_DOCKER) {
    test('a container engine is here, as CASCATA_REQUIRE_DOCKER asks', () => {
      throw new Error(reason);
    });
  }
  return reason;
}

function findReason(): string | undefined {
  if (process.platform !== 'linux' || process.arch !== 'x64') return 'it is made for Linux on amd64';
  if (process.getuid?.() !== 0) return 'only root can run one';
  return existsSync(readPlaces().images)
    ? undefined
    : 'it is not prepared (test/tools/docker-engine.sh does that on Debian)';
}

/** Starts engine and registry, or joins those that run, and builds the core. Takes a second or two where all is prepared. */
export async function startDockerGround(): Promise<DockerGround> {
  const places = readPlaces();
  const env = {
    ...process.env,
    DOCKER_HOST: places.dockerHost,
    DOCKER_CONFIG: places.config,
    DOCKER_BUILDKIT: '1',
  };
  await run('sh', [TOOL, 'start', `${process.pid}`], { cwd: ROOT });
  const docker = async (...args: readonly string[]) => {
    const { stdout } = await run('/usr/bin/docker', args, { env, cwd: ROOT, maxBuffer: 64 * 1024 * 1024 });
    return stdout.trim();
  };
  const stop = async () => {
    await run('sh', [TOOL, 'stop', `${process.pid}`], { cwd: ROOT });
  };
  try {
    await docker(
      'build',
      '-q',
      '-t',
      CORE_IMAGE,
      '--target',
      'debian',
      '-f',
      'docker/postgres/Dockerfile',
      '.',
    );
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    socketPath: places.dockerHost.replace('unix://', ''),
    dockerHost: places.dockerHost,
    registry: places.registry,
    images: readImages(places.images),
    coreImage: CORE_IMAGE,
    trees: places.trees,
    docker,
    async logs(container) {
      const { stdout, stderr } = await run('/usr/bin/docker', ['logs', container], { env });
      return `${stdout}${stderr}`;
    },
    stop,
  };
}

function readPlaces(): Places {
  const { stdout } = spawnSync('sh', [TOOL, 'env'], { encoding: 'utf8' });
  const values = Object.fromEntries(stdout.split('\n').map((line) => line.split(/=(.*)/, 2)));
  const { DOCKER_HOST, IMAGES, REGISTRY, TREES, DOCKER_CONFIG } = values;
  return { dockerHost: DOCKER_HOST, images: IMAGES, registry: REGISTRY, trees: TREES, config: DOCKER_CONFIG };
}

function readImages(file: string): Readonly<Record<string, string>> {
  const images: unknown = JSON.parse(readFileSync(file, 'utf8'));
  if (typeof images !== 'object' || images === null) throw new Error(`${file} holds no images`);
  return Object.fromEntries(Object.entries(images).map(([name, reference]) => [name, String(reference)]));
}
