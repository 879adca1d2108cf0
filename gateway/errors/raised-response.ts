import type { DatabaseError } from './database-error.ts';
import { GatewayError } from './gateway-error.ts';
import { headerText, isFramingHeader, isHeaderName, isResponseStatus } from './header-text.ts';

const MESSAGE_HINT =
  "MESSAGE must be a JSON object with obligatory keys: 'code', 'message' and optional keys: 'details', 'hint'.";
const DETAIL_HINT =
  "DETAIL must be a JSON object with obligatory keys: 'status', 'headers' and optional key: 'status_text'.";

interface RaisedMessage {
  readonly code: string;
  readonly message: string;
  readonly details: string | undefined;
  readonly hint: string | undefined;
}

interface RaisedDetail {
  readonly status: number;
  readonly statusText: string | undefined;
  readonly headers: Readonly<Record<string, string>>;
}

/**
 * `RAISE SQLSTATE 'PGRST'`: MESSAGE and DETAIL are JSON and say what the response is (G7). A MESSAGE or DETAIL of another
 * form gives PGRST121.
 */
export function raisedResponse(error: DatabaseError): GatewayError {
  const raised = parseMessage(error.message);
  if (raised === undefined) {
    return unreadable(`Invalid JSON value for MESSAGE: '${error.message}'`, MESSAGE_HINT, error);
  }
  if (error.detail === undefined || error.detail === '') {
    return unreadable('DETAIL is missing in the RAISE statement', DETAIL_HINT, error);
  }
  const detail = parseDetail(error.detail);
  if (detail === undefined) {
    return unreadable(`Invalid JSON value for DETAIL: '${error.detail}'`, DETAIL_HINT, error);
  }
  return new GatewayError({ ...raised, ...detail, cause: error });
}

/** The status of `PTxyz`; 500 when `xyz` is none. */
export function statusOfPtCode(sqlState: string): number {
  const digits = sqlState.slice(2);
  const status = /^\d{3}$/.test(digits) ? Number(digits) : 0;
  return isResponseStatus(status) ? status : 500;
}

function unreadable(details: string, hint: string, cause: DatabaseError): GatewayError {
  return new GatewayError('PGRST121', { details, hint, cause });
}

function parseMessage(text: string): RaisedMessage | undefined {
  const object = parseObject(text);
  if (object === undefined) return undefined;
  const { code, message, details, hint } = object;
  if (typeof code !== 'string' || typeof message !== 'string') return undefined;
  if (!isOptionalText(details) || !isOptionalText(hint)) return undefined;
  return { code, message, details: details ?? undefined, hint: hint ?? undefined };
}

function parseDetail(text: string): RaisedDetail | undefined {
  const object = parseObject(text);
  if (object === undefined) return undefined;
  const { status, status_text: statusText, headers } = object;
  if (typeof status !== 'number' || !isResponseStatus(status) || !isOptionalText(statusText))
    return undefined;
  const parsed = parseHeaders(headers);
  return parsed && { status, statusText: statusText ?? undefined, headers: parsed };
}

function parseHeaders(value: unknown): Record<string, string> | undefined {
  if (!isObject(value)) return undefined;
  const headers: Record<string, string> = {};
  for (const [name, text] of Object.entries(value)) {
    if (typeof text !== 'string' || !isHeaderName(name) || headerText(text) === undefined) return undefined;
    if (!isFramingHeader(name)) headers[name] = text;
  }
  return headers;
}

function parseObject(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isOptionalText(value: unknown): value is string | null | undefined {
  return value === undefined || value === null || typeof value === 'string';
}
