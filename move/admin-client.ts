import { setTimeout as sleep } from 'node:timers/promises';
import { AdminRefusal, MoveError } from './move-error.ts';

export interface AdminClientOptions {
  readonly origin: string;
  readonly token: string;
  /** Where the token came from, for whoever gave a wrong one. */
  readonly tokenName: string;
  /** Ends whatever is waited for. */
  readonly signal: AbortSignal;
}

export interface Call {
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** In place of `body`: sent as it is. */
  readonly bytes?: Uint8Array<ArrayBuffer>;
  /** May be sent again when it is not known what became of it. Default: for GET, PUT and DELETE. */
  readonly isRepeatable?: boolean;
}

const TIMEOUT_MS = 120_000;
/** Before each further attempt: a restart of the other side is waited for, a wrong address is soon told. */
const RETRY_DELAYS_MS = [250, 1_000, 2_000];

/** Calls the admin API of one installation. */
export class AdminClient {
  readonly origin: string;
  readonly #options: AdminClientOptions;

  constructor(options: AdminClientOptions) {
    this.origin = options.origin;
    this.#options = options;
  }

  /** The same installation, for what has to be done although the rest was given up. */
  withSignal(signal: AbortSignal): AdminClient {
    return new AdminClient({ ...this.#options, signal });
  }

  /**
   * Calls it and reads the JSON of a success; `undefined` where it has none.
   *
   * @throws {AdminRefusal} for an answer that says no
   * @throws {MoveError} `unreachable`, `unauthorized`
   */
  async call(method: string, path: string, call: Call = {}): Promise<unknown> {
    const response = await this.open(method, path, call);
    const text = await this.#guarded(response.text());
    return text === '' ? undefined : JSON.parse(text);
  }

  /** The same, `undefined` where there is no such thing. */
  async find(path: string): Promise<unknown> {
    try {
      return await this.call('GET', path);
    } catch (error) {
      if (error instanceof AdminRefusal && error.status === 404) return undefined;
      throw error;
    }
  }

  /** Calls it and leaves the body of a success to the caller. @throws as `call` */
  async open(method: string, path: string, call: Call = {}): Promise<Response> {
    const { isRepeatable = method !== 'POST' && method !== 'PATCH' } = call;
    for (let attempt = 0; ; attempt++) {
      const delayMs = RETRY_DELAYS_MS[attempt];
      try {
        const response = await this.#guarded(this.#send(method, path, call));
        if (response.ok) return response;
        throw await this.#refusal(response);
      } catch (error) {
        const isAway = error instanceof MoveError && !(error instanceof AdminRefusal && error.status !== 503);
        const isWrongToken = error instanceof MoveError && error.exitCode === 3;
        if (!isAway || isWrongToken || !isRepeatable || delayMs === undefined) throw error;
        await sleep(delayMs, undefined, { signal: this.#options.signal });
      }
    }
  }

  #send(method: string, path: string, { body, headers = {}, bytes }: Call): Promise<Response> {
    const { token, signal } = this.#options;
    const content = bytes ?? (body === undefined ? undefined : JSON.stringify(body));
    return fetch(this.origin + path, {
      method,
      redirect: 'error',
      headers: {
        authorization: `Bearer ${token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(content === undefined ? {} : { body: content }),
      signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
    });
  }

  async #guarded<T>(work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      this.#options.signal.throwIfAborted();
      throw new MoveError('unreachable', `${this.origin} cannot be reached: ${reasonOf(error)}`, {
        hint: 'Run this again once it answers: it goes on from here',
        cause: error,
      });
    }
  }

  async #refusal(response: Response): Promise<MoveError> {
    const text = await this.#guarded(response.text());
    if (response.status === 401) {
      return new MoveError(
        'unauthorized',
        `${this.origin} does not know the token that ${this.#options.tokenName} gives`,
      );
    }
    const { code, message, hint } = problemOf(text);
    if (code === undefined || message === undefined) {
      return new MoveError(
        'unreachable',
        `What answers at ${this.origin} is no admin API of Cascata Edge (${response.status})`,
      );
    }
    return new AdminRefusal(response.status, { code, message: `${this.origin}: ${message}`, hint });
  }
}

interface Problem {
  readonly code?: string;
  readonly message?: string;
  readonly hint?: string;
}

function problemOf(text: string): Problem {
  try {
    const json: unknown = JSON.parse(text);
    if (typeof json !== 'object' || json === null) return {};
    const member = (name: string): object => {
      const value: unknown = Reflect.get(json, name);
      return typeof value === 'string' ? { [name]: value } : {};
    };
    return { ...member('code'), ...member('message'), ...member('hint') };
  } catch {
    return {};
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof Error && error.name === 'TimeoutError') return 'it does not answer in time';
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  if (code !== '') return code;
  return cause instanceof Error ? cause.message : String(cause);
}
