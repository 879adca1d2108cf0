import type { ClientBase, Pool } from 'pg';
import { z } from 'zod';
import type { Manifest } from '../containers/manifest.ts';

type Queryable = Pick<ClientBase | Pool, 'query'>;

const BundleRow = z.object({
  bundle: z.string(),
  state: z.enum(['published', 'withdrawn']),
  reason: z.string().nullable(),
  image: z.string(),
  digest: z.string(),
  core: z.string(),
  databases: z.number(),
  judged_at: z.date(),
});
/** How a bundle stands on our own cluster: one row of `control.extension_bundles`. */
export type BundleRecord = z.output<typeof BundleRow>;

/** What the jobs that bring, judge and take away files have left, for whoever does not see the volume. */
export async function bundleRecords(control: Queryable): Promise<readonly BundleRecord[]> {
  const { rows } = await control.query(
    `SELECT ${Object.keys(BundleRow.shape).join(', ')} FROM control.extension_bundles ORDER BY bundle`,
  );
  return rows.map((row) => BundleRow.parse(row));
}

export interface BundleVerdict {
  readonly manifest: Pick<Manifest, 'bundle' | 'image' | 'digest' | 'core'>;
  /** Why it is not linked; `undefined`: it is. */
  readonly reason?: string | undefined;
  /** How many databases have an extension of it. */
  readonly databases: number;
}

export async function recordBundle(
  control: Queryable,
  { manifest: { bundle, image, digest, core }, reason, databases }: BundleVerdict,
): Promise<void> {
  await control.query(
    `INSERT INTO control.extension_bundles (bundle, state, reason, image, digest, core, databases)
     VALUES ($1, CASE WHEN $2::text IS NULL THEN 'published' ELSE 'withdrawn' END, $2, $3, $4, $5, $6)
     ON CONFLICT (bundle) DO UPDATE SET state = EXCLUDED.state, reason = EXCLUDED.reason, image = EXCLUDED.image, digest = EXCLUDED.digest,
       core = EXCLUDED.core, databases = EXCLUDED.databases, judged_at = now()`,
    [bundle, reason ?? null, image, digest, core, databases],
  );
}

export async function forgetBundle(control: Queryable, bundle: string): Promise<void> {
  await control.query('DELETE FROM control.extension_bundles WHERE bundle = $1', [bundle]);
}
