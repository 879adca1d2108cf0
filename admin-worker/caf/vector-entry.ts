import { z } from 'zod';
import type { ArchiveFile } from '../archive/archive-file.ts';
import { JobError } from '../jobs/job.ts';
import { type TenantContent, VECTORS_PREFIX } from './content.ts';

/** `meta` of the snapshot of a collection. */
const VectorMeta = z.strictObject({
  collection: z
    .string()
    .min(1)
    .max(255)
    .regex(/^[^/\p{Cc}]+$/u),
  /** Version of the server it was made by, `1.15.3`. */
  server: z.string().regex(/^\d{1,5}\.\d{1,5}\.\d{1,5}/),
  aliases: z.array(z.string().min(1).max(255)),
  /** Canonical JSON of the collection's settings and indexes. */
  configuration: z.string(),
});
export type VectorMeta = z.output<typeof VectorMeta>;

export interface VectorEntry {
  readonly entry: ArchiveFile['entries'][number];
  readonly meta: VectorMeta;
  readonly content: TenantContent['collections'][number];
}

/** The collections of an archive. @throws {JobError} for what is not described as one, or is there twice */
export function collectionsOf(
  archive: Pick<ArchiveFile, 'entries'>,
  { collections }: Pick<TenantContent, 'collections'>,
): readonly VectorEntry[] {
  const told = new Map(collections.map((content) => [content.name, content]));
  const found: VectorEntry[] = [];
  for (const entry of archive.entries) {
    if (!entry.name.startsWith(VECTORS_PREFIX)) continue;
    const { data: meta } = VectorMeta.safeParse(entry.meta);
    const content = meta === undefined ? undefined : told.get(meta.collection);
    if (meta === undefined || content === undefined || !told.delete(meta.collection)) {
      throw new JobError(`The archive is refused: the entry ${entry.name} is not a collection of its list`, {
        code: 'foreign-object',
      });
    }
    found.push({ entry, meta, content });
  }
  const [missing] = told.keys();
  if (missing === undefined) return found;
  throw new JobError(`The archive is refused: the collection '${missing}' of its list is not in it`, {
    code: 'missing-member',
  });
}
