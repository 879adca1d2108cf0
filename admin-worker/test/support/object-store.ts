import { mkdtemp, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { S3Client } from '@aws-sdk/client-s3';

/** An S3-compatible server (`s3rver`) with one bucket. */
export interface ObjectStore {
  readonly endpoint: string;
  readonly bucket: string;
  readonly client: S3Client;
  /** `storage` of a tenant's `backends`. */
  backend(prefix: string): Readonly<Record<string, unknown>>;
  stop(): Promise<void>;
}

interface S3rver {
  run(): Promise<{ readonly port: number }>;
  close(): Promise<void>;
}

/**
 * Its tokens for the next page are made with DES, which OpenSSL 3 no longer has: another cipher with a block of the same kind takes its place.
 */
function lendCipher(require: NodeJS.Require): () => void {
  const crypto: Record<string, unknown> = require('node:crypto');
  const { createCipheriv, createDecipheriv } = crypto;
  const lend = (make: unknown) => (name: string, key: Buffer, iv: Buffer) => {
    const call = make as (name: string, key: Buffer, iv: Buffer) => unknown;
    if (name !== 'des') return call(name, key, iv);
    return call('aes-128-cbc', Buffer.concat([key, key]), Buffer.concat([iv, iv]));
  };
  crypto.createCipheriv = lend(createCipheriv);
  crypto.createDecipheriv = lend(createDecipheriv);
  return () => Object.assign(crypto, { createCipheriv, createDecipheriv });
}

const CREDENTIALS = { accessKeyId: 'S3RVER', secretAccessKey: 'S3RVER' };
const BUCKET = 'files-of-tenants';

export async function startObjectStore(): Promise<ObjectStore> {
  const require = createRequire(import.meta.url);
  const giveBack = lendCipher(require);
  // It comes without types.
  const Server: new (options: object) => S3rver = require('s3rver');
  const directory = await mkdtemp(join(tmpdir(), 'cascata-s3-'));
  const server = new Server({
    address: '127.0.0.1',
    port: 0,
    silent: true,
    directory,
    vhostBuckets: false,
    configureBuckets: [{ name: BUCKET }],
  });
  const { port } = await server.run();
  const endpoint = `http://127.0.0.1:${port}`;
  const client = new S3Client({
    endpoint,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: CREDENTIALS,
    requestChecksumCalculation: 'WHEN_REQUIRED',
  });
  return {
    endpoint,
    bucket: BUCKET,
    client,
    backend: (prefix) => ({
      kind: 's3',
      endpoint,
      bucket: BUCKET,
      prefix,
      access_key_id: CREDENTIALS.accessKeyId,
      secret_access_key: CREDENTIALS.secretAccessKey,
    }),
    async stop() {
      client.destroy();
      await server.close();
      giveBack();
      await rm(directory, { recursive: true });
    },
  };
}
