import { z } from 'zod';

/*
 * Where a tenant's files and vectors are, as the admin API takes it. What is shown and stored in clear is the same without the secrets.
 */

const NO_CONTROL = /^[^\p{Cc}]*$/u;

/** An http or https URL without credentials, query or fragment; `https://s3.example.com`, with a path where a proxy needs one. */
const Endpoint = z
  .string()
  .max(500)
  .check((context) => {
    const message = problemOfEndpoint(context.value);
    if (message !== undefined) context.issues.push({ code: 'custom', message, input: context.value });
  })
  .transform((text) => new URL(text).href.replace(/\/+$/, ''));

function problemOfEndpoint(text: string): string | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol !== 'https:' && url?.protocol !== 'http:') return 'must be an https:// or http:// URL';
  if (url.username !== '' || url.password !== '') return 'must not hold credentials';
  if (url.search !== '' || url.hash !== '') return 'must have neither query nor fragment';
  return undefined;
}

const Bucket = z
  .string()
  .regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, { error: 'is not the name of a bucket' });

const Prefix = z
  .string()
  .max(500)
  .regex(/^(?:[^/\p{Cc}][^\p{Cc}]*\/)?$/u, {
    error: 'must end with / and not begin with one, or be empty for the whole bucket',
  });

const Credential = z.string().min(1).max(4096).regex(NO_CONTROL, { error: 'holds control characters' });

const S3Place = z.strictObject({
  kind: z.literal('s3'),
  endpoint: Endpoint.optional().describe("Absent: Amazon's own for the region"),
  region: z
    .string()
    .regex(/^[A-Za-z0-9-]{1,64}$/, { error: 'is not the name of a region' })
    .default('us-east-1'),
  bucket: Bucket,
  prefix: Prefix.default('').describe('Keys below it are the tenant’s; ends with /'),
  path_style: z.boolean().default(true).describe('false: https://<bucket>.<endpoint>/'),
  access_key_id: Credential,
});
const S3Secrets = z.strictObject({ secret_access_key: Credential });

const CollectionName = z
  .string()
  .min(1)
  .max(255)
  .regex(/^[^/\p{Cc}]+$/u, { error: 'is not the name of a collection' });

const QdrantPlace = z.strictObject({
  kind: z.literal('qdrant'),
  url: Endpoint,
  collection_prefix: z
    .string()
    .max(200)
    .regex(/^[^/\p{Cc}]*$/u)
    .optional()
    .describe('Collections whose names begin with it are the tenant’s'),
  collections: z
    .array(CollectionName)
    .min(1)
    .max(1000)
    .optional()
    .describe('These collections are the tenant’s; without it and a prefix all of the server are'),
});
const QdrantSecrets = z.strictObject({ api_key: Credential.optional() });

const LocalInput = z.strictObject({ kind: z.literal('local') });
const S3Input = z.strictObject({ ...S3Place.shape, ...S3Secrets.shape });
const QdrantInput = z
  .strictObject({ ...QdrantPlace.shape, ...QdrantSecrets.shape })
  .refine(({ collection_prefix, collections }) => !(collection_prefix && collections), {
    error: 'give either collection_prefix or collections',
    path: ['collections'],
  });

/** `backends` of a tenant: what is absent stays, `null` unsets. */
export const BackendsInput = z
  .strictObject({
    storage: z
      .discriminatedUnion('kind', [LocalInput, S3Input])
      .nullable()
      .describe('null and {"kind":"local"}: DATA_DIR/storage/<tenant>'),
    vectors: QdrantInput.nullable().describe('null: the tenant has none'),
  })
  .partial();
export type BackendsInput = z.output<typeof BackendsInput>;

/** The column `backends`. */
export const StoredBackends = z.object({
  storage: S3Place.optional(),
  vectors: QdrantPlace.optional(),
});
export type StoredBackends = z.output<typeof StoredBackends>;

/** The column `sealed_backends`, opened. */
export const BackendSecrets = z.object({
  storage: S3Secrets.optional(),
  vectors: QdrantSecrets.optional(),
});
export type BackendSecrets = z.output<typeof BackendSecrets>;

/** Divides what was given into what may be shown and what is sealed. */
export function splitBackends({ storage, vectors }: BackendsInput): {
  readonly places: StoredBackends;
  readonly secrets: BackendSecrets;
} {
  const places: StoredBackends = {};
  const secrets: BackendSecrets = {};
  if (storage?.kind === 's3') {
    const { secret_access_key, ...place } = storage;
    places.storage = place;
    secrets.storage = { secret_access_key };
  }
  if (vectors !== undefined && vectors !== null) {
    const { api_key, ...place } = vectors;
    places.vectors = place;
    secrets.vectors = api_key === undefined ? {} : { api_key };
  }
  return { places, secrets };
}
