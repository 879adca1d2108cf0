import type { ClientBase, Pool } from 'pg';
import type { Secret } from '../../gateway/registry/secrets.ts';
import { JobError } from '../jobs/job.ts';
import { type ContainerEngine, type EngineContainer, VOLUME_TARGET } from './container-engine.ts';
import { CoreLibraries, tryElf } from './core-libraries.ts';
import type { ElfFile } from './elf-file.ts';
import { type Manifest, tryParseManifest } from './manifest.ts';
import type { CoreFacts } from './payload.ts';
import { SET_ASIDE } from './payload-volume.ts';

type Queryable = Pick<ClientBase | Pool, 'query'>;

/** The folder that the linker fills; the core's library path ends with it. */
export const LINKED_LIBRARIES = '/var/lib/phantom/lib';

/** The running server, and ways to look into it without running anything in it. */
export interface Core {
  readonly container: EngineContainer;
  readonly volume: string;
  readonly facts: Omit<CoreFacts, 'libraries'>;
  /** What is published, by bundle. */
  readonly manifests: ReadonlyMap<string, PublishedManifest>;
  /** What was published and does not fit this server: the linker does not see it. */
  readonly setAside: ReadonlyMap<string, PublishedManifest>;
  /** A library on the server's own path; asked once for each name. */
  readonly library: (name: string) => Promise<ElfFile | undefined>;
  /** Names of all files on that path. */
  readonly libraryNames: () => Promise<ReadonlySet<string>>;
}

export interface PublishedManifest {
  readonly text: string;
  /** `undefined` where it is not one of ours, or no longer what we wrote. */
  readonly manifest: Manifest | undefined;
}

/** @throws {JobError} when the container is not there, or not this server, or not made for this */
export async function readCore(options: {
  readonly engine: ContainerEngine;
  readonly coreContainer: string;
  /** Superuser connection to that server. */
  readonly db: Queryable;
  readonly key: Secret;
}): Promise<Core> {
  const { engine, coreContainer, db, key } = options;
  const container = await engine.findContainer(coreContainer);
  if (container === undefined || !container.isRunning)
    throw new JobError(`There is no running container '${coreContainer}'`, {
      code: 'core',
      hint: 'extensions.coreContainer names the container of the database server',
    });
  const server = await askServer(db);
  if (server.hostname.trim() !== container.hostname)
    throw new JobError(
      `The container '${coreContainer}' is not the server that CONTROL_DATABASE_URL leads to`,
      {
        code: 'core',
        details: `the container is called ${container.hostname}, the server runs on ${server.hostname.trim()}`,
        hint: 'extensions.coreContainer names the container of the database server',
      },
    );
  const { dirs, volume } = placesOf(container, coreContainer);
  const own = server.own === null ? undefined : tryElf(server.own);
  if (own?.libc === undefined)
    throw new JobError('The server could not be read, so its machine and C library are not known', {
      code: 'core',
    });
  const parsed = (found: readonly ManifestText[]) =>
    new Map(
      found.map(({ name, text }) => [
        name.replace(/\.manifest$/, ''),
        { text, manifest: tryParseManifest(text, key) },
      ]),
    );
  const libraries = new CoreLibraries(db, dirs);
  return {
    container,
    volume,
    manifests: parsed(server.manifests),
    setAside: parsed(server.setAside),
    facts: {
      image: container.imageId,
      pg: server.pg,
      arch: own.machine,
      libc: own.libc,
      preloaded: server.preloaded,
      modules: new Set(server.modules),
      scripts: new Set(server.scripts),
    },
    library: (name) => libraries.find(name),
    libraryNames: () => libraries.names(),
  };
}

function placesOf(
  { env, mounts }: EngineContainer,
  name: string,
): { dirs: readonly string[]; volume: string } {
  const path = (env.LD_LIBRARY_PATH ?? '').split(':').filter((dir) => dir !== '');
  const volume = mounts.find(({ target }) => target === VOLUME_TARGET)?.volume;
  if (path.at(-1) !== LINKED_LIBRARIES || volume === undefined)
    throw new JobError(`The container '${name}' is not one that files can be brought into`, {
      code: 'core',
      details:
        volume === undefined
          ? `it has no volume at ${VOLUME_TARGET}`
          : `its LD_LIBRARY_PATH does not end with ${LINKED_LIBRARIES}`,
      hint: "Run the server from the project's own image: docs/phantom.md",
    });
  // The loader itself is beside the libraries, or here.
  return { dirs: [...path.slice(0, -1), '/lib64'], volume };
}

async function askServer(db: Queryable) {
  const { rows } = await db.query<{
    pg: number;
    hostname: string;
    preload: string;
    modules: string[];
    scripts: string[];
    own: Buffer | null;
    manifests: ManifestText[];
    setAside: ManifestText[];
  }>(SERVER, [`${VOLUME_TARGET}/manifests`, `${VOLUME_TARGET}/${SET_ASIDE}`]);
  const { preload, ...rest } = rows[0]!;
  return {
    ...rest,
    preloaded: preload
      .split(',')
      .map((name) => name.trim())
      .filter((name) => name !== ''),
  };
}

interface ManifestText {
  readonly name: string;
  readonly text: string;
}

/** `folder` is a parameter: `$1`. */
function manifestsIn(folder: string): string {
  return `COALESCE((
      SELECT json_agg(json_build_object('name', f.name, 'text', pg_read_file(${folder} || '/' || f.name, 0, 4000000, true)))
      FROM pg_ls_dir(${folder}, true, false) AS f(name) WHERE f.name ~ '^[a-z][a-z0-9_-]*[.]manifest$'
    ), '[]'::json)`;
}

/**
 * $1: folder of manifests. $2: folder of those that were set aside. Up to PostgreSQL 17 the server's two folders also hold what was linked, and its own
 * files lie in `….core`; later ones are the server's own alone.
 */
const SERVER = `
  WITH config AS (
    SELECT max(setting) FILTER (WHERE name = 'PKGLIBDIR') AS pkglibdir, max(setting) FILTER (WHERE name = 'SHAREDIR') || '/extension' AS scriptdir
    FROM pg_config
  ),
  files AS (
    SELECT pkglibdir, ARRAY(SELECT pg_ls_dir(pkglibdir)) AS modules, ARRAY(SELECT pg_ls_dir(scriptdir)) AS scripts,
      ARRAY(SELECT pg_ls_dir(pkglibdir || '.core', true, false)) AS core_modules, ARRAY(SELECT pg_ls_dir(scriptdir || '.core', true, false)) AS core_scripts
    FROM config
  )
  SELECT current_setting('server_version_num')::int / 10000 AS pg,
    COALESCE(pg_read_file('/etc/hostname', 0, 256, true), '') AS hostname,
    current_setting('shared_preload_libraries') AS preload,
    CASE core_modules WHEN '{}' THEN modules ELSE core_modules END AS modules,
    CASE core_scripts WHEN '{}' THEN scripts ELSE core_scripts END AS scripts,
    -- The one module that every server has: what it is built for the server is built for.
    pg_read_binary_file(pkglibdir || '/plpgsql.so', 0, 16000000, true) AS own,
    ${manifestsIn('$1')} AS manifests, ${manifestsIn('$2')} AS "setAside"
  FROM files`;
