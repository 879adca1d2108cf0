/** One row of the table: a SQLSTATE, or its beginning followed by `*`, and the HTTP status it becomes. */
interface SqlStateRule {
  readonly sqlState: string;
  readonly status: number;
  /** Only for messages of this form; the server has to speak English for these. */
  readonly message?: RegExp;
  /** Only for requests with, or without, an identity of their own. */
  readonly isAuthenticated?: boolean;
}

/**
 * SQLSTATE → HTTP status as PostgREST has it (`docs/errors.md` shows the same rows); the first rule that fits wins.
 */
export const SQLSTATE_RULES: readonly SqlStateRule[] = [
  { sqlState: '08*', status: 503 },
  { sqlState: '09*', status: 500 },
  { sqlState: '0L*', status: 403 },
  { sqlState: '0P*', status: 403 },
  // pg-safeupdate, which refuses UPDATE and DELETE without conditions.
  { sqlState: '21000', status: 400, message: /requires a WHERE clause$/ },
  { sqlState: '21000', status: 500 },
  // The role of a token is not there.
  { sqlState: '22023', status: 401, message: /^role .* does not exist$/s },
  { sqlState: '23503', status: 409 },
  { sqlState: '23505', status: 409 },
  { sqlState: '25006', status: 405 },
  { sqlState: '25*', status: 500 },
  { sqlState: '28*', status: 403 },
  { sqlState: '2D*', status: 500 },
  { sqlState: '38*', status: 500 },
  { sqlState: '39*', status: 500 },
  { sqlState: '3B*', status: 500 },
  { sqlState: '40*', status: 500 },
  // The media type asked for cannot be made from rows of this type.
  { sqlState: '42883', status: 406, message: /^function xmlagg\(/ },
  { sqlState: '42883', status: 404 },
  { sqlState: '42P01', status: 404 },
  { sqlState: '42P17', status: 500 },
  { sqlState: '42501', status: 403, isAuthenticated: true },
  { sqlState: '42501', status: 401, isAuthenticated: false },
  { sqlState: '53400', status: 500 },
  { sqlState: '53*', status: 503 },
  { sqlState: '54*', status: 500 },
  { sqlState: '55*', status: 500 },
  { sqlState: '57P01', status: 503 },
  { sqlState: '57*', status: 500 },
  { sqlState: '58*', status: 500 },
  { sqlState: 'F0*', status: 500 },
  { sqlState: 'HV*', status: 500 },
  { sqlState: 'P0001', status: 400 },
  { sqlState: 'P0*', status: 500 },
  { sqlState: 'XX*', status: 500 },
];

const OTHER_STATUS = 400;

/** The HTTP status for a SQLSTATE that is neither `PTxyz` nor `PGRST`. */
export function statusOfSqlState(sqlState: string, message: string, isAuthenticated: boolean): number {
  const rule = SQLSTATE_RULES.find(
    (candidate) =>
      fitsSqlState(candidate.sqlState, sqlState) &&
      (candidate.message === undefined || candidate.message.test(message)) &&
      (candidate.isAuthenticated === undefined || candidate.isAuthenticated === isAuthenticated),
  );
  return rule?.status ?? OTHER_STATUS;
}

function fitsSqlState(pattern: string, sqlState: string): boolean {
  return pattern.endsWith('*') ? sqlState.startsWith(pattern.slice(0, -1)) : sqlState === pattern;
}
