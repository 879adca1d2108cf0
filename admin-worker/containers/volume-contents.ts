import type { ClientBase, Pool } from 'pg';
import { VOLUME_TARGET } from './container-engine.ts';
import { LINKER_STATE } from './wait-for-linker.ts';

type Queryable = Pick<ClientBase | Pool, 'query'>;

const EXT = `${VOLUME_TARGET}/ext`;

/** A payload's folder: `ext/<bundle>/<digest>`. */
export interface PayloadPlace {
  readonly bundle: string;
  readonly digest: string;
}

export interface VolumeContents {
  /** What lies on the volume, whether a manifest names it or not. */
  readonly payloads: readonly PayloadPlace[];
  /** What the linker has linked. It keeps an older payload's links while it refuses a newer manifest. */
  readonly linked: readonly PayloadPlace[];
  /** The linker's words, by bundle. */
  readonly statuses: ReadonlyMap<string, string>;
}

/** Asks the server what lies on its volume and what its linker made of it; nothing of it is read. */
export async function volumeContents(db: Queryable): Promise<VolumeContents> {
  const { rows } = await db.query<{
    bundles: string[];
    linked: PayloadPlace[];
    statuses: { bundle: string; status: string }[];
  }>(CONTENTS, [EXT, LINKER_STATE]);
  const { bundles = [], linked = [], statuses = [] } = rows[0] ?? {};
  // Not in one statement: folders of folders look like a million rows to the planner, which then compiles the query.
  const payloads = await db.query<PayloadPlace>(
    `SELECT b.name AS bundle, d.name AS digest FROM unnest($2::text[]) AS b(name)
     CROSS JOIN LATERAL pg_ls_dir($1 || '/' || b.name, true, false) AS d(name) ORDER BY 1, 2`,
    [EXT, bundles],
  );
  return {
    payloads: payloads.rows,
    linked,
    statuses: new Map(statuses.map(({ bundle, status }) => [bundle, status.trim()])),
  };
}

/** The first lines of a published manifest, unverified: enough to see whether it was made for another core. */
export interface ManifestHead {
  readonly bundle: string;
  readonly core: string;
  readonly image: string;
}

export async function publishedHeads(db: Queryable): Promise<readonly ManifestHead[]> {
  const { rows } = await db.query<ManifestHead>(
    `SELECT substring(f.name from '^(.*)[.]manifest$') AS bundle, COALESCE(substring(h.head from '\\ncore ([^\\n]+)'), '') AS core,
       COALESCE(substring(h.head from '\\nimage ([^\\n]+)'), '') AS image
     FROM pg_ls_dir($1, true, false) AS f(name)
     CROSS JOIN LATERAL (SELECT pg_read_file($1 || '/' || f.name, 0, 2000, true) AS head) AS h
     WHERE f.name ~ '^[a-z][a-z0-9_-]*[.]manifest$' ORDER BY 1`,
    [`${VOLUME_TARGET}/manifests`],
  );
  return rows;
}

/** $1: folder of payloads. $2: folder of the linker's state. */
const CONTENTS = `
  SELECT
    ARRAY(SELECT pg_ls_dir($1, true, false)) AS bundles,
    COALESCE((
      SELECT json_agg(json_build_object('bundle', left(f.name, -7), 'digest', rtrim(pg_read_file($2 || '/accepted/' || f.name, 0, 200, true), E'\\n')))
      FROM pg_ls_dir($2 || '/accepted', true, false) AS f(name) WHERE f.name ~ '^[a-z][a-z0-9_-]*[.]digest$'
    ), '[]'::json) AS linked,
    COALESCE((
      SELECT json_agg(json_build_object('bundle', left(f.name, -7), 'status', pg_read_file($2 || '/' || f.name, 0, 4000, true)))
      FROM pg_ls_dir($2, true, false) AS f(name) WHERE f.name ~ '^[a-z][a-z0-9_-]*[.]status$'
    ), '[]'::json) AS statuses`;
