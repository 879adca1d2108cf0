import { z } from 'zod';
import { Extension } from './database-facts.ts';
import { TableDigest } from './table-digests.ts';

export const DUMP_ENTRY = 'database/dump';
export const TENANT_ENTRY = 'tenant';
export const SECRETS_ENTRY = 'secrets';
export const LARGE_OBJECT_PREFIX = 'large-objects/';
export const STORAGE_PREFIX = 'storage/';
export const VECTORS_PREFIX = 'vectors/';

const Count = z.int().min(0);
const SetDigest = z.string().regex(/^-?\d{1,40}:-?\d{1,40}$/);

export const CollectionContent = z.strictObject({
  name: z.string().min(1).max(255),
  points: Count,
  /** Of ids, payloads and vectors; `null` for a collection that changed while it was read. */
  digest: SetDigest.nullable(),
});
export type CollectionContent = z.output<typeof CollectionContent>;

/** Of all files: the digest is one of keys, bytes and headers, in whatever order. */
export const FilesContent = z.strictObject({ count: Count, bytes: Count, digest: SetDigest });

/** `content` of the manifest of a tenant's archive: what has to be the same at the other end. */
export const TenantContent = z.strictObject({
  kind: z.literal('tenant'),
  /** `pg_cron` is `null` where the cluster has none. */
  postgres: z.strictObject({
    major: z.int(),
    dump_major: z.int(),
    pg_cron: z.string().nullable().default(null),
  }),
  /** Physical names. */
  schemas: z.array(z.string()).min(1).readonly(),
  extensions: z.array(Extension).readonly(),
  tables: z.array(TableDigest).readonly(),
  /** What the tenant has besides its database; `none` is said, not left out. */
  storage: z.enum(['none', 'included']),
  vectors: z.enum(['none', 'included']),
  files: FilesContent.optional(),
  collections: z.array(CollectionContent).readonly().default([]),
  /** Jobs of pg_cron; what they are is sealed. */
  scheduled_jobs: Count.default(0),
  /** Of a tenant whose database was not made by an installation: what there is beside it that an archive does not hold, in words. */
  absent: z.array(z.string()).readonly().optional(),
});
export type TenantContent = z.output<typeof TenantContent>;
