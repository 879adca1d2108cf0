import type { Context } from 'hono';
import { HTTPException } from 'hono/http-exception';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import { AdminError } from './admin-error.ts';
import { describeDatabaseOutage } from './database-outage.ts';

/** Any thrown thing as one of ours; what is not known keeps its text to itself. */
export function toAdminError(error: unknown): AdminError {
  if (error instanceof AdminError) return error;
  if (error instanceof HTTPException && error.status < 500) {
    return new AdminError('invalid_request', error.message || 'The request is not valid', { cause: error });
  }
  const outage = describeDatabaseOutage(error);
  if (outage !== undefined) return new AdminError('unavailable', outage, { cause: error });
  return new AdminError('internal', 'Something went wrong here; the log has the cause', { cause: error });
}

/** `{code, message, details, hint}`, as the gateway's errors are. */
export function errorResponse(c: Context, error: AdminError): Response {
  const { code, message, details = null, hint = null, status, headers } = error;
  return c.json({ code, message, details, hint }, status as ContentfulStatusCode, headers);
}
