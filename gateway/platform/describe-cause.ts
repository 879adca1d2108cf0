/** What a log line may say of an error: never a DSN, a token, SQL parameters or row contents. */
export interface CauseDescription {
  readonly message: string;
  /** `SQLSTATE`, `GatewayError` code or system error code. */
  readonly code?: string;
  /** Outside production only. */
  readonly stack?: string;
  readonly cause?: CauseDescription;
}

/** Errors wrap errors; deeper ones than this tell nobody anything. */
const MAX_DEPTH = 4;

const SQLSTATE = /^[0-9A-Z]{5}$/;
/** Classes whose messages repeat the value at fault (data exception) or are a tenant's own words (RAISE). */
const SPEAKING_SQLSTATE_CLASSES: ReadonlySet<string> = new Set(['22', 'P0', 'PT']);

const SECRETS: readonly RegExp[] = [
  /\bpostgres(?:ql)?:\/\/[^\s"']+/gi,
  /\beyJ[\w-]+\.[\w-]*\.[\w-]*/g,
  /\bsb_(?:secret|publishable)_[\w-]+/g,
  /\b(?:password|secret|token|apikey)=[^\s&"']+/gi,
];

/** Reduces anything that was thrown to what a log may hold. */
export function describeCause(cause: unknown, { withStack = false } = {}, depth = 1): CauseDescription {
  if (!(cause instanceof Error)) return { message: redact(typeof cause === 'string' ? cause : typeof cause) };
  const code = 'code' in cause && typeof cause.code === 'string' ? cause.code : undefined;
  const message = isSpeaking(code, cause) ? 'message withheld: it may repeat data' : redact(cause.message);
  const inner = cause.cause === undefined || depth >= MAX_DEPTH ? undefined : cause.cause;
  return {
    message,
    ...(code === undefined ? {} : { code }),
    ...(withStack && cause.stack !== undefined ? { stack: stackFrames(cause.stack) } : {}),
    ...(inner === undefined ? {} : { cause: describeCause(inner, { withStack }, depth + 1) }),
  };
}

/** Replaces what looks like a DSN, a JWT or an API key. A second line of defence: no message of ours holds one. */
export function redact(text: string): string {
  return SECRETS.reduce((redacted, pattern) => redacted.replace(pattern, '[redacted]'), text);
}

function isSpeaking(code: string | undefined, cause: Error): boolean {
  if (code === undefined || !SQLSTATE.test(code)) return false;
  return 'severity' in cause && SPEAKING_SQLSTATE_CLASSES.has(code.slice(0, 2));
}

/** The frames alone: the head of a stack repeats the message. */
function stackFrames(stack: string): string {
  return stack
    .split('\n')
    .filter((line) => line.startsWith('    at '))
    .join('\n');
}
