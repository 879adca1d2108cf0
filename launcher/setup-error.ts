/** A reason not to start that the operator can do something about: its message is one sentence, shown as it is. */
export class SetupError extends Error {
  override readonly name = 'SetupError';
  readonly exitCode: number;

  constructor(message: string, options: { exitCode?: number; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.exitCode = options.exitCode ?? 1;
  }
}

/** `error.code` of a system error (`ENOENT`, `EADDRINUSE`, …). */
export function systemErrorCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}
