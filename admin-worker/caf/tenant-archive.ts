import { z } from 'zod';
import type { Secret } from '../../gateway/registry/secrets.ts';
import { logicalSchema, physicalRole, type TenantNaming } from '../../gateway/registry/tenant.ts';
import { ArchiveError } from '../archive/archive-error.ts';
import { ArchiveFile } from '../archive/archive-file.ts';
import type { ScanOptions } from '../archive/scan-archive.ts';
import { JobError } from '../jobs/job.ts';
import { problemOfLogicalSchema, problemOfTenantId } from '../provision/tenant-names.ts';
import { MIN_SECRET_BYTES } from '../tenants/jwt-input.ts';
import { SECRETS_ENTRY, TENANT_ENTRY, TenantContent } from './content.ts';
import { refused } from './refused.ts';
import { SecretsDocument, TenantDocument } from './tenant-document.ts';

/** What an archive may unpack to. */
const MAX_CONTENT_BYTES = 2 ** 44;

/** An archive of a tenant whose documents make sense. */
export interface TenantArchive {
  readonly file: ArchiveFile;
  readonly document: TenantDocument;
  readonly secrets: SecretsDocument;
  readonly content: TenantContent;
  readonly naming: TenantNaming;
}

/**
 * Opens an archive, checked byte by byte, for `use`.
 *
 * @throws {JobError} that says why the archive is refused
 */
export async function withTenantArchive<T>(
  path: string,
  options: {
    readonly passphrase: Secret;
    readonly signal: AbortSignal;
    /** See `ScanOptions`. */
    readonly trustedKeys?: readonly string[];
    readonly openKeys?: ScanOptions['openKeys'];
  },
  use: (archive: TenantArchive) => Promise<T>,
): Promise<T> {
  try {
    const file = await ArchiveFile.open(path, {
      ...options,
      limits: { maxContentBytes: MAX_CONTENT_BYTES },
    });
    try {
      return await use(await readDocuments(file));
    } finally {
      await file.close();
    }
  } catch (error) {
    if (error instanceof ArchiveError) {
      throw new JobError(`The archive is refused: ${error.message}`, { code: error.problem, cause: error });
    }
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') {
      throw new JobError('The upload is not there any more', { code: 'no-upload', cause: error });
    }
    throw error;
  }
}

async function readDocuments(file: ArchiveFile): Promise<TenantArchive> {
  const document = parse(TenantDocument, await json(file.readText(TENANT_ENTRY)), TENANT_ENTRY);
  const secrets = parse(SecretsDocument, await json(file.readSealed(SECRETS_ENTRY)), SECRETS_ENTRY);
  const content = parse(TenantContent, file.scanned.manifest.content, 'manifest');
  const naming = {
    schemaPrefix: document.schema_prefix ?? undefined,
    rolePrefix: document.role_prefix,
  };
  refuseNames(document, content, naming);
  refuseKey(document, secrets);
  return { file, document, secrets, content, naming };
}

async function json(text: Promise<string | Buffer>): Promise<unknown> {
  try {
    return JSON.parse(String(await text));
  } catch (cause) {
    if (cause instanceof ArchiveError) throw cause;
    throw new ArchiveError('damaged', 'A document in the archive is not JSON', { cause });
  }
}

function parse<T>(
  schema: { safeParse(value: unknown): { success: true; data: T } | { success: false; error: unknown } },
  value: unknown,
  name: string,
): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new ArchiveError('damaged', `The document '${name}' does not say what it has to`, {
    cause: result.error,
  });
}

/** What tokens are verified with has to be of the kind that the document tells: a tenant could not be loaded otherwise. */
function refuseKey({ jwt_kind: kind, jwks_url: url }: TenantDocument, { jwt }: SecretsDocument): void {
  const key = jwt === null ? undefined : Buffer.from(jwt, 'base64');
  const isWhole = {
    none: () => key === undefined && url === null,
    'jwks-url': () => key === undefined && url !== null,
    secret: () => key !== undefined && key.length >= MIN_SECRET_BYTES,
    jwks: () => key !== undefined && isKeySet(key.toString('utf8')),
  }[kind]();
  if (!isWhole) throw new ArchiveError('damaged', `The archive has no key such as it says: ${kind}`);
}

function isKeySet(text: string): boolean {
  try {
    return KeySet.safeParse(JSON.parse(text)).success;
  } catch {
    return false;
  }
}

const KeySet = z.looseObject({ keys: z.array(z.looseObject({ kty: z.string() })).min(1) });

/** Names in an archive become names in our cluster, so they have to be such as we would have given. */
function refuseNames(document: TenantDocument, content: TenantContent, naming: TenantNaming): void {
  const refuse = (what: string): never => {
    throw refused('foreign-names', what);
  };
  const { placement, role_prefix: prefix, schema_prefix: schemaPrefix } = document;
  const problem = problemOfTenantId(prefix) ?? problemOfTenantId(document.id);
  if (problem !== undefined) refuse(`its names ${problem}`);
  if (schemaPrefix !== (placement === 'shared' ? prefix : null)) {
    refuse(`names of its schemas do not fit the placement ${placement}`);
  }
  for (const schema of content.schemas) {
    const logical = logicalSchema(naming, schema);
    if (placement === 'shared' && schema !== prefix && logical === schema) {
      refuse(`the schema "${schema}" is not one of the tenant ${physicalRole(naming, 'owner')} could own`);
    }
    const wrong = problemOfLogicalSchema(naming, logical);
    if (wrong !== undefined) refuse(`the schema ${wrong}`);
  }
}
