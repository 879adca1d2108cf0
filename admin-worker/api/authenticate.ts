import { createHash, timingSafeEqual } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import type { MiddlewareHandler } from 'hono';
import type { Secret } from '../../gateway/registry/secrets.ts';
import type { AdminEnv } from './admin-env.ts';
import { AdminError } from './admin-error.ts';
import { FailureLimit } from './rate-limit.ts';

export interface AuthenticateOptions {
  readonly adminToken: Secret;
  /** The token before this one: both are good while clients change from one to the other. */
  readonly previousAdminToken?: Secret | undefined;
  /** Address of the peer of a request. */
  readonly addressOf: (context: Parameters<MiddlewareHandler<AdminEnv>>[0]) => string | undefined;
  /** How long the answer to a wrong token is held back, in milliseconds. */
  readonly failureDelayMs?: number;
  readonly maxFailures?: number;
}

const WINDOW_MS = 60_000;
const FINGERPRINT_LENGTH = 12;

/**
 * Asks for `Authorization: Bearer ADMIN_TOKEN`. Digests are compared, all of them and in constant time. A wrong token is answered late, and an
 * address that sends many of them gets 429; a right token is never held up by somebody else's failures.
 */
export function authenticate(options: AuthenticateOptions): MiddlewareHandler<AdminEnv> {
  const { adminToken, previousAdminToken, addressOf, failureDelayMs = 200, maxFailures = 20 } = options;
  const accepted = [adminToken, ...(previousAdminToken === undefined ? [] : [previousAdminToken])].map(
    (token) => digest(token.reveal()),
  );
  const failures = new FailureLimit({ maxFailures, windowMs: WINDOW_MS });

  return async (context, next) => {
    const address = addressOf(context);
    const token = /^Bearer +(.+)$/i.exec(context.req.header('authorization') ?? '')?.[1]?.trim();
    const known = token === undefined ? undefined : findDigest(accepted, digest(token));
    if (known !== undefined) {
      // Which of two tokens it was is in the audit log, so that nobody has to guess when the old one is no longer used.
      context.set('actor', { fingerprint: known.toString('hex').slice(0, FINGERPRINT_LENGTH), address });
      return next();
    }
    const retryAfterSeconds = failures.fail(address ?? 'unknown');
    if (retryAfterSeconds !== undefined) {
      throw new AdminError('too_many_requests', 'Too many attempts with a wrong token', {
        headers: { 'Retry-After': String(retryAfterSeconds) },
      });
    }
    // A client that leaves ends the wait.
    await setTimeout(failureDelayMs, undefined, { signal: context.req.raw.signal }).catch(() => undefined);
    throw new AdminError(
      'unauthorized',
      token === undefined ? 'An admin token is needed' : 'The admin token is not the right one',
      { hint: 'Send Authorization: Bearer ADMIN_TOKEN', headers: { 'WWW-Authenticate': 'Bearer' } },
    );
  };
}

function findDigest(accepted: readonly Buffer[], given: Buffer): Buffer | undefined {
  let found: Buffer | undefined;
  for (const each of accepted) if (timingSafeEqual(given, each)) found = each;
  return found;
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
