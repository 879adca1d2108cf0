import http, { type IncomingMessage } from 'node:http';
import https from 'node:https';
import { GatewayError } from '../errors/gateway-error.ts';
import { admitHost, guardedLookup } from '../platform/guarded-lookup.ts';
import { type NetworkPolicy, RefusedAddressError } from '../platform/network-policy.ts';
import { type KeySet, keySetFromJwks } from './verification-key.ts';

/** Gets the text at a URL; `createFetchText` makes the real one. */
export type FetchText = (url: string) => Promise<string>;

const MAX_AGE_MS = 10 * 60_000;
// Anyone can send a token with an unknown `kid`: it must not make us fetch each time.
const COOLDOWN_MS = 30_000;
const RETRY_MS = 2_000;

/**
 * The JWK Set at one URL: fetched when first needed, again when old or when a token names a key it lacks. An old set goes on
 * serving while the URL cannot be reached.
 */
export class RemoteKeySet {
  readonly #url: string;
  readonly #fetchText: FetchText;
  readonly #now: () => number;
  #current: { readonly text: string; readonly keySet: KeySet } | undefined;
  #fetchedAtMs = 0;
  #attemptedAtMs = Number.NEGATIVE_INFINITY;
  #inFlight: Promise<KeySet> | undefined;
  #failure: unknown;

  constructor(url: string, options: { readonly fetchText: FetchText; readonly now: () => number }) {
    this.#url = url;
    this.#fetchText = options.fetchText;
    this.#now = options.now;
  }

  /** @throws {GatewayError} `GW109` (503) when there is no set yet and it cannot be fetched */
  get(): KeySet | Promise<KeySet> {
    const now = this.#now();
    if (this.#current === undefined) {
      if (this.#inFlight === undefined && now - this.#attemptedAtMs < RETRY_MS)
        throw unreachable(this.#failure);
      return this.#fetch();
    }
    if (now - this.#fetchedAtMs > MAX_AGE_MS && now - this.#attemptedAtMs > RETRY_MS) {
      // The old set serves meanwhile, so nobody waits for this and nobody needs to hear of its failure.
      this.#fetch().catch(() => undefined);
    }
    return this.#current.keySet;
  }

  /** Fetches again because a key is missing; `undefined` while it is too early for that, or when it fails. */
  async refresh(): Promise<KeySet | undefined> {
    if (this.#inFlight === undefined && this.#now() - this.#attemptedAtMs < COOLDOWN_MS) return undefined;
    return this.#fetch().catch(() => undefined);
  }

  #fetch(): Promise<KeySet> {
    this.#inFlight ??= this.#load().finally(() => {
      this.#inFlight = undefined;
    });
    return this.#inFlight;
  }

  async #load(): Promise<KeySet> {
    this.#attemptedAtMs = this.#now();
    try {
      const text = await this.#fetchText(this.#url);
      // The same text keeps the same object, so that tokens verified with it stay verified.
      if (this.#current?.text !== text)
        this.#current = { text, keySet: keySetFromJwks(text, { isPublic: true }) };
      this.#fetchedAtMs = this.#now();
      return this.#current.keySet;
    } catch (error) {
      this.#failure = error;
      throw unreachable(error);
    }
  }
}

function unreachable(cause: unknown): GatewayError {
  if (!(cause instanceof RefusedAddressError)) return new GatewayError('GW109', { cause });
  return new GatewayError('GW109', {
    cause,
    details: `${cause.message[0]!.toUpperCase()}${cause.message.slice(1)}`,
  });
}

const FETCH_TIMEOUT_MS = 5_000;
const MAX_BYTES = 256 * 1024;

/**
 * Makes what fetches a small text from where the policy allows: a tenant's URL must not reach what only the platform can. Redirects are refused: the operator named a
 * URL, and another place was not agreed to.
 */
export function createFetchText(policy: NetworkPolicy): FetchText {
  const lookup = guardedLookup(policy);
  return async (url) => {
    await admitHost(policy, url);
    const signal = AbortSignal.timeout(FETCH_TIMEOUT_MS);
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const get = new URL(url).protocol === 'https:' ? https.get : http.get;
      get(url, { lookup, signal, headers: { accept: 'application/json' } }, resolve).once('error', reject);
    });
    const { statusCode = 0 } = response;
    if (statusCode < 200 || statusCode > 299) {
      response.destroy();
      throw new Error(`the key set's URL answered ${statusCode}`);
    }
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of response as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > MAX_BYTES) throw new Error(`the key set is larger than ${MAX_BYTES} bytes`);
      chunks.push(chunk);
    }
    return Buffer.concat(chunks).toString('utf8');
  };
}
