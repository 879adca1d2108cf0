import { createHash } from 'node:crypto';
import { addAbortSignal, Readable } from 'node:stream';
import type { NetworkPolicy } from '../../gateway/platform/network-policy.ts';
import { inChunks } from '../archive/in-chunks.ts';
import { release } from '../archive/release.ts';
import { BackendError } from './backend-error.ts';
import type { S3Place } from './backends.ts';
import { asBackendError, type OpenS3, openS3 } from './s3-client.ts';
import type { FileMeta, ObjectAbout } from './stored-object.ts';

/** An object's bytes and what is kept beside them; its key is that below the prefix. */
export interface StoredObject {
  readonly meta: FileMeta;
  readonly size: number;
  readonly body: Readable;
}

export interface PutObject {
  readonly key: string;
  readonly size: number;
  readonly about: ObjectAbout;
  readonly content: AsyncIterable<Uint8Array>;
}

/** Larger objects go in parts of this size, the smallest that S3 takes: what is held of one in memory. */
export const PART_BYTES: number = 5 * 1024 * 1024;
const MAX_PARTS = 10_000;
/** What a store calls content that nobody gave a type: as good as none. */
const NO_TYPE = 'binary/octet-stream';

/** A tenant's part of a bucket. Every failure of the store's is a `BackendError`. */
export class S3Store {
  readonly #open: OpenS3;
  readonly #place: S3Place;

  private constructor(open: OpenS3, place: S3Place) {
    this.#open = open;
    this.#place = place;
  }

  /** Connects to nothing yet. @throws {RefusedAddressError} */
  static async open(place: S3Place, policy: NetworkPolicy): Promise<S3Store> {
    return new S3Store(await openS3(place, policy), place);
  }

  /** Keys and sizes below the prefix, a page at a time; by Amazon and most others in the order of their bytes. */
  async *list(
    signal: AbortSignal,
    { pageSize = 1000 }: { readonly pageSize?: number } = {},
  ): AsyncGenerator<{ key: string; size: number }> {
    const { prefix } = this.#place;
    const { ListObjectsV2Command } = this.#open.sdk;
    let token: string | undefined;
    do {
      const page = await this.#call((to) =>
        this.#open.client.send(
          new ListObjectsV2Command({
            ...to,
            Prefix: prefix,
            MaxKeys: pageSize,
            // XML cannot hold every character that a key can.
            EncodingType: 'url',
            ...(token === undefined ? {} : { ContinuationToken: token }),
          }),
          { abortSignal: signal },
        ),
      );
      const isEncoded = page.EncodingType === 'url';
      for (const { Key = '', Size = 0 } of page.Contents ?? []) {
        const key = isEncoded ? decodeURIComponent(Key.replaceAll('+', ' ')) : Key;
        // The prefix itself is a mark that some tools leave for a folder.
        if (key.length > prefix.length) yield { key: key.slice(prefix.length), size: Size };
      }
      token = page.IsTruncated === true ? page.NextContinuationToken : undefined;
    } while (token !== undefined);
  }

  async isEmpty(signal: AbortSignal): Promise<boolean> {
    for await (const _ of this.list(signal)) return false;
    return true;
  }

  /** `undefined` for an object that is not there any more. The body has to be read, or destroyed. */
  async get(key: string, signal: AbortSignal): Promise<StoredObject | undefined> {
    const { GetObjectCommand } = this.#open.sdk;
    try {
      const found = await this.#call((to) =>
        this.#open.client.send(new GetObjectCommand({ ...to, Key: this.#place.prefix + key }), {
          abortSignal: signal,
        }),
      );
      if (!(found.Body instanceof Readable)) throw new Error('the object store gave no stream');
      return {
        body: addAbortSignal(signal, found.Body),
        size: found.ContentLength ?? 0,
        meta: {
          key,
          modified_at: (found.LastModified ?? new Date(0)).toISOString(),
          ...named('content_type', found.ContentType === NO_TYPE ? undefined : found.ContentType),
          ...named('cache_control', found.CacheControl),
          ...named('content_disposition', found.ContentDisposition),
          ...named('content_encoding', found.ContentEncoding),
          ...named('content_language', found.ContentLanguage),
          ...named('expires', found.ExpiresString),
          ...named('metadata', sorted(found.Metadata)),
        },
      };
    } catch (error) {
      if (error instanceof BackendError && error.status === 404) return undefined;
      throw error;
    }
  }

  /** Writes an object; the store compares each part of it with its MD5. */
  async put({ key, size, about, content }: PutObject, signal: AbortSignal): Promise<void> {
    const target = { Key: this.#place.prefix + key };
    const partBytes = Math.max(PART_BYTES, Math.ceil(size / MAX_PARTS));
    if (size > partBytes)
      return this.#putParts({ ...target, ...fields(about) }, { content, partBytes, signal });
    const pieces: Uint8Array[] = [];
    // A piece is used when the next one is asked for.
    for await (const piece of content) pieces.push(Buffer.from(piece));
    const body = Buffer.concat(pieces);
    const { PutObjectCommand } = this.#open.sdk;
    await this.#call((to) =>
      this.#open.client.send(
        new PutObjectCommand({ ...to, ...target, ...fields(about), Body: body, ContentMD5: md5(body) }),
        { abortSignal: signal },
      ),
    );
  }

  async remove(key: string, signal: AbortSignal): Promise<void> {
    const { DeleteObjectCommand } = this.#open.sdk;
    await this.#call((to) =>
      this.#open.client.send(new DeleteObjectCommand({ ...to, Key: this.#place.prefix + key }), {
        abortSignal: signal,
      }),
    );
  }

  /** Ends uploads in parts that nobody goes on with. Where the store cannot list them, it is left to its own rules. */
  async abortUploads(keys: ReadonlySet<string>, signal: AbortSignal): Promise<void> {
    const { ListMultipartUploadsCommand } = this.#open.sdk;
    const { prefix } = this.#place;
    const listed = await this.#call((to) =>
      this.#open.client.send(new ListMultipartUploadsCommand({ ...to, Prefix: prefix }), {
        abortSignal: signal,
      }),
    ).catch((error: unknown) => {
      if (error instanceof BackendError && error.status !== undefined) return undefined;
      throw error;
    });
    for (const { Key = '', UploadId } of listed?.Uploads ?? []) {
      if (UploadId !== undefined && keys.has(Key.slice(prefix.length))) await this.#abort({ Key, UploadId });
    }
  }

  close(): void {
    this.#open.client.destroy();
  }

  async #putParts(
    target: { readonly Key: string },
    options: { content: AsyncIterable<Uint8Array>; partBytes: number; signal: AbortSignal },
  ): Promise<void> {
    const { content, partBytes, signal } = options;
    const { client, sdk } = this.#open;
    const { UploadId } = await this.#call((to) =>
      client.send(new sdk.CreateMultipartUploadCommand({ ...to, ...target }), { abortSignal: signal }),
    );
    if (UploadId === undefined) throw new Error('the object store began no upload');
    const upload = { Key: target.Key, UploadId };
    try {
      const parts: { PartNumber: number; ETag: string | undefined }[] = [];
      for await (const body of inChunks(content, partBytes)) {
        const PartNumber = parts.length + 1;
        const { ETag } = await this.#call((to) =>
          client.send(
            new sdk.UploadPartCommand({ ...to, ...upload, PartNumber, Body: body, ContentMD5: md5(body) }),
            { abortSignal: signal },
          ),
        );
        parts.push({ PartNumber, ETag });
        release(body);
      }
      await this.#call((to) =>
        client.send(
          new sdk.CompleteMultipartUploadCommand({
            ...to,
            ...upload,
            MultipartUpload: {
              Parts: parts.map(({ PartNumber, ETag }) => ({ PartNumber, ETag: ETag ?? '' })),
            },
          }),
          { abortSignal: signal },
        ),
      );
    } catch (error) {
      await this.#abort(upload).catch(() => undefined);
      throw error;
    }
  }

  async #abort(upload: { readonly Key: string; readonly UploadId: string }): Promise<void> {
    const { AbortMultipartUploadCommand } = this.#open.sdk;
    await this.#call((to) => this.#open.client.send(new AbortMultipartUploadCommand({ ...to, ...upload })));
  }

  async #call<T>(send: (to: { readonly Bucket: string }) => Promise<T>): Promise<T> {
    try {
      return await send({ Bucket: this.#place.bucket });
    } catch (error) {
      throw asBackendError(error);
    }
  }
}

function named<Name extends string, T>(name: Name, value: T | undefined): { readonly [key in Name]?: T } {
  return (value === undefined || value === '' ? {} : { [name]: value }) as { [key in Name]?: T };
}

function sorted(
  metadata: Readonly<Record<string, string>> | undefined,
): Readonly<Record<string, string>> | undefined {
  const entries = Object.entries(metadata ?? {});
  if (entries.length === 0) return undefined;
  return Object.fromEntries(entries.toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

function fields(about: ObjectAbout) {
  const expires = new Date(about.expires ?? Number.NaN);
  return {
    // Without one the library would send a type of its own.
    ContentType: about.content_type ?? NO_TYPE,
    ...named('CacheControl', about.cache_control),
    ...named('ContentDisposition', about.content_disposition),
    ...named('ContentEncoding', about.content_encoding),
    ...named('ContentLanguage', about.content_language),
    ...named('Expires', Number.isNaN(expires.getTime()) ? undefined : expires),
    ...named('Metadata', about.metadata),
  };
}

function md5(bytes: Uint8Array): string {
  return createHash('md5').update(bytes).digest('base64');
}
