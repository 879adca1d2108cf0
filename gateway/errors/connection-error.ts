import { GatewayError } from './gateway-error.ts';

/** Node's codes for a server that cannot be reached, or is reached no longer. */
const SOCKET_CODES: ReadonlySet<string> = new Set([
  'EAI_AGAIN',
  'ECONNABORTED',
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTDOWN',
  'EHOSTUNREACH',
  'EMFILE',
  'ENETDOWN',
  'ENETUNREACH',
  'ENFILE',
  'ENOENT',
  'ENOTFOUND',
  'EPIPE',
  'ETIMEDOUT',
]);

/** System calls whose failure is one of the network, so that `ENOENT` of a file is not taken for a missing socket. */
const SOCKET_CALLS: ReadonlySet<string> = new Set([
  'connect',
  'getaddrinfo',
  'read',
  'write',
  'shutdown',
  'socket',
]);

/** Messages of node-postgres, which gives these errors no code. */
const POOL_TIMEOUT = 'timeout exceeded when trying to connect';
const CONNECTION_LOST =
  /^(Connection terminated|Client has encountered a connection error|Client was closed)/;
const CONNECT_TIMEOUT = /^(timeout expired|Connection terminated due to connection timeout)/;

/**
 * The error of a connection that could not be made or was lost, or `undefined` for any other error. The texts of the cause
 * (addresses, names) stay out of the response.
 */
export function connectionError(error: unknown): GatewayError | undefined {
  if (!(error instanceof Error)) return undefined;
  if (isSocketError(error) || CONNECT_TIMEOUT.test(error.message)) {
    return new GatewayError('PGRST000', { cause: error });
  }
  if (error.message === POOL_TIMEOUT) return new GatewayError('PGRST003', { cause: error });
  if (CONNECTION_LOST.test(error.message)) return new GatewayError('PGRST001', { cause: error });
  return undefined;
}

function isSocketError(error: Error): boolean {
  if (!('code' in error) || typeof error.code !== 'string' || !SOCKET_CODES.has(error.code)) return false;
  // With several addresses Node gives an AggregateError, which has a code but no system call of its own.
  return error instanceof AggregateError || ('syscall' in error && SOCKET_CALLS.has(String(error.syscall)));
}
