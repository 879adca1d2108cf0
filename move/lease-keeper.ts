import { type Move, parseMove } from './admin-answers.ts';
import type { AdminClient } from './admin-client.ts';
import { MoveError } from './move-error.ts';

/** Keeps a tenant frozen for as long as this program lives, by asking for it again and again. */
export class LeaseKeeper {
  readonly #client: AdminClient;
  readonly #path: string;
  readonly #leaseSeconds: number;
  readonly #lost = new AbortController();
  #freeze: string | undefined;
  #timer: NodeJS.Timeout | undefined;
  #asking: Promise<void> = Promise.resolve();

  constructor(client: AdminClient, tenant: string, leaseSeconds: number) {
    this.#client = client;
    this.#path = `/v1/tenants/${tenant}/move/freeze`;
    this.#leaseSeconds = leaseSeconds;
  }

  /** Aborts, with the reason, when the freeze could not be asked for again. */
  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  /** Id of the freeze; what was compared is true for as long as it holds. */
  get freeze(): string | undefined {
    return this.#freeze;
  }

  /** @throws {MoveError} `failed` when writes cannot be held just now */
  async begin(): Promise<void> {
    const move = await this.#ask({ lease_seconds: this.#leaseSeconds }, 'Writes cannot be held now');
    this.#freeze = move.freeze ?? undefined;
    this.#timer = setInterval(
      () => {
        this.#asking = this.renew().catch((error: unknown) => this.#lost.abort(error));
      },
      (this.#leaseSeconds * 1_000) / 3,
    );
  }

  /** @throws {MoveError} `failed` when the freeze is over */
  async renew(): Promise<void> {
    const body = { lease_seconds: this.#leaseSeconds, freeze: this.#freeze };
    await this.#ask(body, 'Writes could not be held any longer');
  }

  async #ask(body: object, sentence: string): Promise<Move> {
    try {
      // Asked for twice, a second freeze is refused, and ends with the first one's lease.
      const isRepeatable = 'freeze' in body;
      return parseMove(await this.#client.call('POST', this.#path, { body, isRepeatable }));
    } catch (cause) {
      if (!(cause instanceof MoveError)) throw cause;
      const hint = cause.hint ?? 'Run this again: it goes on from here';
      throw new MoveError('failed', `${sentence}: ${cause.message}`, { hint, cause });
    }
  }

  async end(): Promise<void> {
    clearInterval(this.#timer);
    await this.#asking;
  }
}
