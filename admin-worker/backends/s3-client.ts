import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import type { S3Client } from '@aws-sdk/client-s3';
import { admitHost, guardedLookup } from '../../gateway/platform/guarded-lookup.ts';
import type { NetworkPolicy } from '../../gateway/platform/network-policy.ts';
import { BackendError } from './backend-error.ts';
import type { S3Place } from './backends.ts';

/** The library's commands; it is loaded when a tenant has such a store, since it costs 30 MB. */
export type S3Sdk = typeof import('@aws-sdk/client-s3');

export interface OpenS3 {
  readonly sdk: S3Sdk;
  readonly client: S3Client;
}

const CONNECT_TIMEOUT_MS = 5_000;
/** Silence in the middle of a request. */
const IDLE_TIMEOUT_MS = 60_000;
const MAX_SOCKETS = 8;
const MAX_ATTEMPTS = 4;

/** A client that connects to nothing but what the policy allows, and knows no other credentials than the place's. */
export async function openS3(place: S3Place, policy: NetworkPolicy): Promise<OpenS3> {
  const { endpoint, region, isPathStyle, accessKeyId, secretAccessKey } = place;
  if (endpoint !== undefined) await admitHost(policy, endpoint);
  const sdk = await import('@aws-sdk/client-s3');
  const agent = { lookup: guardedLookup(policy), keepAlive: true, maxSockets: MAX_SOCKETS };
  const client = new sdk.S3Client({
    region,
    ...(endpoint === undefined ? {} : { endpoint }),
    forcePathStyle: isPathStyle,
    credentials: { accessKeyId, secretAccessKey: secretAccessKey.reveal() },
    maxAttempts: MAX_ATTEMPTS,
    // Stores that are not Amazon's do not know the newer checksums; every upload has a Content-MD5 instead.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestHandler: {
      httpAgent: new HttpAgent(agent),
      httpsAgent: new HttpsAgent(agent),
      connectionTimeout: CONNECT_TIMEOUT_MS,
      socketTimeout: IDLE_TIMEOUT_MS,
    },
  });
  return { sdk, client };
}

/** What the store said, as an error of ours: its code and status, no key. */
export function asBackendError(error: unknown): unknown {
  if (!(error instanceof Error) || !('$metadata' in error)) return error;
  const { $metadata: about } = error;
  const status =
    typeof about === 'object' && about !== null && 'httpStatusCode' in about
      ? Number(about.httpStatusCode)
      : undefined;
  if (status === undefined || !Number.isInteger(status)) return error;
  return new BackendError(`the object store answered ${status} (${error.name.slice(0, 80)})`, {
    status,
    cause: error,
  });
}
