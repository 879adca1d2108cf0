import { seal, unsealText } from '../../gateway/registry/sealing.ts';
import { Secret } from '../../gateway/registry/secrets.ts';
import { BackendSecrets, type BackendsInput, type StoredBackends, splitBackends } from './backend-input.ts';

/** Objects of an S3-compatible server; all keys below `prefix` are the tenant's. */
export interface S3Place {
  readonly endpoint: string | undefined;
  readonly region: string;
  readonly bucket: string;
  /** Empty or ending with `/`. */
  readonly prefix: string;
  readonly isPathStyle: boolean;
  readonly accessKeyId: string;
  readonly secretAccessKey: Secret;
}

/** Collections of a Qdrant server. */
export interface QdrantPlace {
  readonly url: string;
  readonly apiKey: Secret | undefined;
  /** Which collections are the tenant's. */
  readonly selection: CollectionSelection;
}

export type CollectionSelection =
  | { readonly kind: 'prefix'; readonly prefix: string }
  | { readonly kind: 'list'; readonly names: readonly string[] };

/** Where a tenant's content beside its database is. */
export interface Backends {
  /** `undefined`: the directory `DATA_DIR/storage/<tenant>`. */
  readonly storage: S3Place | undefined;
  /** `undefined`: it has no vectors. */
  readonly vectors: QdrantPlace | undefined;
}

/** The columns of `control.tenants` about it. */
export interface BackendColumns {
  readonly backends: StoredBackends;
  readonly sealed_backends: string | null;
}

interface Sealing {
  readonly tenantId: string;
  readonly masterKey: Secret;
}

export function backendColumns(input: BackendsInput, sealing: Sealing): BackendColumns {
  const { places, secrets } = splitBackends(input);
  return columnsOf(places, secrets, sealing);
}

/** What is absent in `input` stays as it was. */
export function changedBackendColumns(
  before: BackendColumns,
  input: BackendsInput,
  sealing: Sealing,
): BackendColumns {
  const { places, secrets } = splitBackends(input);
  const kept = openSecrets(before, sealing);
  const pick = <T extends object>(name: keyof BackendsInput & keyof T, now: T, then: T) => {
    const value = input[name] === undefined ? then[name] : now[name];
    return value === undefined ? {} : { [name]: value };
  };
  return columnsOf(
    { ...pick('storage', places, before.backends), ...pick('vectors', places, before.backends) },
    { ...pick('storage', secrets, kept), ...pick('vectors', secrets, kept) },
    sealing,
  );
}

function columnsOf(
  backends: StoredBackends,
  secrets: BackendSecrets,
  { tenantId, masterKey }: Sealing,
): BackendColumns {
  const isEmpty = Object.keys(secrets).length === 0;
  return {
    backends,
    sealed_backends: isEmpty
      ? null
      : seal(JSON.stringify(secrets), { masterKey, context: sealContext(tenantId) }),
  };
}

function openSecrets({ sealed_backends }: BackendColumns, { tenantId, masterKey }: Sealing): BackendSecrets {
  if (sealed_backends === null) return {};
  const text = unsealText(sealed_backends, { masterKey, context: sealContext(tenantId) });
  return BackendSecrets.parse(JSON.parse(text));
}

function sealContext(tenantId: string): string {
  return `tenants/${tenantId}/backends`;
}

/** The places with their secrets. @throws {SealError} when the master key is another one */
export function openBackends(columns: BackendColumns, sealing: Sealing): Backends {
  return withSecrets(columns.backends, openSecrets(columns, sealing));
}

/** What a request names, before it is kept anywhere. */
export function givenBackends(input: BackendsInput): Backends {
  const { places, secrets } = splitBackends(input);
  return withSecrets(places, secrets);
}

/** Places without what opens them: to be compared. */
export function placesOf(stored: StoredBackends): Backends {
  return withSecrets(stored, {});
}

function withSecrets({ storage, vectors }: StoredBackends, secrets: BackendSecrets): Backends {
  return {
    storage:
      storage === undefined
        ? undefined
        : {
            endpoint: storage.endpoint,
            region: storage.region,
            bucket: storage.bucket,
            prefix: storage.prefix,
            isPathStyle: storage.path_style,
            accessKeyId: storage.access_key_id,
            secretAccessKey: new Secret(secrets.storage?.secret_access_key ?? ''),
          },
    vectors:
      vectors === undefined
        ? undefined
        : {
            url: vectors.url,
            apiKey: secrets.vectors?.api_key === undefined ? undefined : new Secret(secrets.vectors.api_key),
            selection:
              vectors.collections === undefined
                ? { kind: 'prefix', prefix: vectors.collection_prefix ?? '' }
                : { kind: 'list', names: vectors.collections },
          },
  };
}

/** Whether a collection of this name is the tenant's. */
export function isSelected(selection: CollectionSelection, name: string): boolean {
  return selection.kind === 'prefix' ? name.startsWith(selection.prefix) : selection.names.includes(name);
}
