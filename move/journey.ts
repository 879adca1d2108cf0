import { createHmac } from 'node:crypto';
import { type Move, type Notes, parseMove } from './admin-answers.ts';
import type { AdminClient } from './admin-client.ts';
import type { MoveOptions } from './move-options.ts';
import type { Report } from './report.ts';

/** What the steps of a move work with. */
export interface Journey {
  readonly options: MoveOptions;
  readonly from: AdminClient;
  readonly to: AdminClient;
  readonly report: Report;
  readonly signal: AbortSignal;
}

/** A move under way: what is known of it is kept by the installation that the tenant leaves, so that whoever runs this next goes on. */
export class MoveState {
  readonly move: Move;
  #notes: Notes;
  readonly #from: AdminClient;
  readonly #path: string;

  constructor(from: AdminClient, tenant: string, move: Move) {
    this.#from = from;
    this.#path = `/v1/tenants/${tenant}/move`;
    this.move = move;
    this.#notes = move.notes;
  }

  get notes(): Notes {
    return this.#notes;
  }

  async note(changes: Partial<Notes>): Promise<void> {
    const notes = { ...this.#notes, ...changes };
    await this.#from.call('PATCH', this.#path, { body: { notes }, isRepeatable: true });
    this.#notes = notes;
  }

  /** A new copy: what the last one came to is forgotten, but for what the new one keeps of it. */
  async nextRound(kept: Pick<Notes, 'definitions' | 'replaces'> = {}): Promise<void> {
    const notes: Notes = { round: this.#notes.round + 1, ...kept };
    await this.#from.call('PATCH', this.#path, { body: { notes }, isRepeatable: true });
    this.#notes = notes;
  }

  /** The same request makes one job, however often it is sent. */
  jobKey(step: string): Readonly<Record<string, string>> {
    return { 'Idempotency-Key': `move/${this.move.id}/${this.#notes.round}/${step}` };
  }

  async state(): Promise<Move['state']> {
    return parseMove(await this.#from.call('GET', this.#path)).state;
  }
}

/** Seals the archive: known to whoever has both tokens and to nobody else, so that it is kept nowhere. */
export function passphraseOf({ options }: Pick<Journey, 'options'>, { move }: MoveState): string {
  const key = JSON.stringify([options.fromToken, options.toToken]);
  return createHmac('sha256', key).update(`cascata/move/${move.id}`).digest('base64url');
}
