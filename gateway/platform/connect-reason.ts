// Messages of drivers and servers name hosts, users and databases, so only known codes are put into words.
const REASONS: Readonly<Record<string, string>> = {
  ADDRESS_REFUSED: "the host is an address of the platform's own networks",
  ECONNREFUSED: 'the connection was refused',
  ENOTFOUND: 'the host name is not known',
  EAI_AGAIN: 'the host name could not be looked up',
  ETIMEDOUT: 'the server did not answer in time',
  EHOSTUNREACH: 'the host cannot be reached',
  ENETUNREACH: 'the network cannot be reached',
  ECONNRESET: 'the connection was reset',
  ERR_TLS_CERT_ALTNAME_INVALID: "the server's certificate is for another host name",
  DEPTH_ZERO_SELF_SIGNED_CERT: "the server's certificate is not signed by a trusted authority",
  SELF_SIGNED_CERT_IN_CHAIN: "the server's certificate is not signed by a trusted authority",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "the server's certificate is not signed by a trusted authority",
  UNABLE_TO_GET_ISSUER_CERT: "the server's certificate is not signed by a trusted authority",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "the server's certificate is not signed by a trusted authority",
  CERT_SIGNATURE_FAILURE: "the server's certificate is not signed by a trusted authority",
  CERT_HAS_EXPIRED: "the server's certificate has expired",
  CERT_NOT_YET_VALID: "the server's certificate is not valid yet",
  '28P01': 'the server refused the user or the password',
  '28000': 'the server refused the user or the way it connected',
  '3D000': 'the database does not exist',
  '53300': 'the server has no connection left',
  '57P03': 'the server is starting or stopping',
};

/** Why a connection could not be made, in words that hold no host, user or database. */
export function connectReason(error: unknown): string {
  if (!(error instanceof Error)) return 'the connection failed';
  const code = 'code' in error ? String(error.code) : '';
  const reason = REASONS[code];
  if (reason !== undefined) return reason;
  if (/^time(d )?out|connection timeout/i.test(error.message)) return REASONS.ETIMEDOUT!;
  if (/does not support SSL/.test(error.message)) return 'the server does not offer TLS';
  if (/SSL|TLS|certificate/i.test(error.message)) return 'the TLS connection could not be set up';
  // What PostgreSQL or PgBouncer said, as opposed to a code of the operating system's.
  if ('severity' in error && /^[0-9A-Z]{5}$/.test(code)) return `the server answered with SQLSTATE ${code}`;
  return 'the connection failed';
}
