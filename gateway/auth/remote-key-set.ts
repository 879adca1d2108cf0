import { GatewayError } from '../errors/gateway-error.ts';
import { type KeySet, keySetFromJwks } from './verification-key.ts';

/** Gets the text at a URL; `fetchText` is the real one. */
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
  return new GatewayError('GW109', { cause });
}

const FETCH_TIMEOUT_MS = 5_000;
const MAX_BYTES = 256 * 1024;

/** Fetches a small text. Redirects are refused: the operator named a URL, and another place was not agreed to. */
export async function fetchText(url: string): Promise<string> {
  const signal = AbortSignal.timeout(FETCH_TIMEOUT_MS);
  const response = await fetch(url, { redirect: 'error', signal, headers: { accept: 'application/json' } });
  if (!response.ok) throw new Error(`the key set's URL answered ${response.status}`);
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.length;
    if (size > MAX_BYTES) throw new Error(`the key set is larger than ${MAX_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
