import type { TenantNaming } from '../registry/tenant.ts';
import type { DatabaseError } from './database-error.ts';
import { GatewayError } from './gateway-error.ts';
import { logicalErrorTexts } from './logical-names.ts';
import { raisedResponse, statusOfPtCode } from './raised-response.ts';
import { statusOfSqlState } from './sqlstate-status.ts';

export interface ErrorContext {
  /** The request runs as someone other than the anonymous role: 42501 is then 403, not 401. */
  readonly isAuthenticated: boolean;
  /** Of the tenant; `undefined` before it is known. */
  readonly naming: TenantNaming | undefined;
}

/** Codes and places of PostgreSQL's source that can only come while a connection is being made. */
const CONNECT_CODES: ReadonlySet<string> = new Set(['57P03']);
const CONNECT_ROUTINES: ReadonlySet<string> = new Set([
  'auth_failed',
  'InitPostgres',
  'ClientAuthentication',
]);

/**
 * An error of PostgreSQL's as the response to give: SQLSTATE as the code, its texts as they are (with logical names), the status
 * by SQLSTATE (POSTGREST.md §1.14), `PTxyz` and `PGRST` as raised (G7).
 */
export function gatewayErrorFromPg(error: DatabaseError, context: ErrorContext): GatewayError {
  const { code } = error;
  if (code === 'PGRST') return raisedResponse(error);
  if (CONNECT_CODES.has(code) || CONNECT_ROUTINES.has(error.routine ?? '')) {
    // The text names the login, the database or the host: operators find it in the log, clients do not.
    return new GatewayError('PGRST000', { cause: error });
  }
  const isPtCode = code.startsWith('PT');
  const status = isPtCode
    ? statusOfPtCode(code)
    : statusOfSqlState(code, error.message, context.isAuthenticated);
  const { message, detail, hint } = logicalErrorTexts(error, isPtCode ? undefined : context.naming);
  return new GatewayError({
    code,
    status,
    statusText: isPtCode ? message : undefined,
    message,
    details: detail,
    hint,
    headers: status === 401 ? { 'WWW-Authenticate': 'Bearer' } : undefined,
    cause: error,
  });
}
