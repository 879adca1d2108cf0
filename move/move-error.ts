/** What the process ends with. `docs/federation.md` lists them. */
export const EXIT = {
  done: 0,
  failed: 1,
  usage: 2,
  unauthorized: 3,
  unreachable: 4,
  conflict: 5,
  refused: 6,
  interrupted: 130,
} as const;

export interface MoveErrorOptions {
  readonly hint?: string | undefined;
  readonly cause?: unknown;
}

/** A reason to stop that the operator can do something about: its message is one sentence, shown as it is. */
export class MoveError extends Error {
  override readonly name = 'MoveError';
  readonly exitCode: number;
  readonly hint: string | undefined;

  constructor(exit: keyof typeof EXIT, message: string, { hint, cause }: MoveErrorOptions = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.exitCode = EXIT[exit];
    this.hint = hint;
  }
}

/** The admin API has said no, in its own words. */
export class AdminRefusal extends MoveError {
  readonly status: number;
  readonly code: string;

  constructor(status: number, answer: { code: string; message: string; hint?: string | undefined }) {
    super(answer.code === 'conflict' ? 'conflict' : 'refused', answer.message, { hint: answer.hint });
    this.status = status;
    this.code = answer.code;
  }
}
