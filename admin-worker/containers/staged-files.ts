import type { ClientBase, Pool } from 'pg';
import { VOLUME_TARGET } from './container-engine.ts';

export interface StagedFiles {
  readonly jobId: string;
  readonly bundle: string;
  /** Digest that the published manifest names; `undefined`: none is published. */
  readonly published: string | undefined;
}

/** Whether a job has left anything on the volume, by what the server sees of it: most that is refused never came as far. */
export async function hasStaged(
  db: Pick<ClientBase | Pool, 'query'>,
  { jobId, bundle, published }: StagedFiles,
): Promise<boolean> {
  const { rows } = await db.query<{ has: boolean }>(
    `SELECT EXISTS (SELECT FROM pg_ls_dir($1, true, false) AS f(name) WHERE f.name = $2)
       OR EXISTS (SELECT FROM pg_ls_dir($3, true, false) AS f(name) WHERE f.name IS DISTINCT FROM $4) AS has`,
    [`${VOLUME_TARGET}/.staging`, jobId, `${VOLUME_TARGET}/ext/${bundle}`, published],
  );
  return rows[0]?.has !== false;
}
