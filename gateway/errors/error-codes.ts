/**
 * Every code the gateway answers with, its HTTP status and its message when the place that raises it has nothing more
 * exact to say. `PGRST…` codes and texts are PostgREST's; `GW1xx` tenant, `GW2xx` upstream, `GW3xx` limits, `GW6xx` features of our own, `GW9xx` our bug.
 * SQLSTATEs are not here: `pg-error.ts` maps them. `docs/errors.md` lists the same codes; a test compares the two.
 */
export const ERROR_CODES = {
  PGRST000: { status: 503, message: 'Database connection error.' },
  PGRST001: { status: 503, message: 'Database client error. Retrying the connection.' },
  PGRST002: { status: 503, message: 'Could not query the database for the schema cache. Retrying.' },
  PGRST003: { status: 504, message: 'Timed out acquiring connection from connection pool.' },
  PGRST100: { status: 400, message: 'Failed to parse the query string' },
  PGRST101: { status: 405, message: 'Cannot use this method on RPC' },
  PGRST102: { status: 400, message: 'Empty or invalid json' },
  PGRST103: { status: 416, message: 'Requested range not satisfiable' },
  PGRST105: {
    status: 405,
    message: "Filters must include all and only primary key columns with 'eq' operators",
  },
  PGRST106: { status: 406, message: 'Invalid schema' },
  PGRST107: { status: 406, message: 'None of these media types are available' },
  PGRST108: { status: 400, message: 'Not an embedded resource in this request' },
  PGRST111: {
    status: 500,
    message:
      'response.headers guc must be a JSON array composed of objects with a single key and a string value',
  },
  PGRST112: { status: 500, message: 'response.status guc must be a valid status code' },
  PGRST114: { status: 400, message: 'limit/offset querystring parameters are not allowed for PUT' },
  PGRST115: { status: 400, message: 'Payload values do not match URL in primary key column(s)' },
  PGRST116: { status: 406, message: 'Cannot coerce the result to a single JSON object' },
  PGRST117: { status: 405, message: 'Unsupported HTTP method' },
  PGRST118: { status: 400, message: 'A related order is not possible' },
  PGRST120: { status: 400, message: 'Bad operator on the embedded resource' },
  PGRST121: { status: 500, message: 'Could not parse JSON in the "RAISE SQLSTATE \'PGRST\'" error' },
  PGRST122: { status: 400, message: 'Invalid preferences given with handling=strict' },
  PGRST123: { status: 400, message: 'Use of aggregate functions is not allowed' },
  PGRST124: { status: 400, message: 'Query result exceeds max-affected preference constraint' },
  PGRST125: { status: 404, message: 'Invalid path specified in request URL' },
  PGRST126: { status: 404, message: 'Root endpoint metadata is disabled' },
  PGRST127: { status: 400, message: 'Feature not implemented' },
  PGRST128: {
    status: 400,
    message: 'Function must return SETOF or TABLE when max-affected preference is used with handling=strict',
  },
  PGRST200: { status: 400, message: 'Could not find a relationship in the schema cache' },
  PGRST201: { status: 300, message: 'Could not embed because more than one relationship was found' },
  PGRST202: { status: 404, message: 'Could not find the function in the schema cache' },
  PGRST203: { status: 300, message: 'Could not choose the best candidate function' },
  PGRST204: { status: 400, message: 'Could not find the column in the schema cache' },
  PGRST205: { status: 404, message: 'Could not find the table in the schema cache' },
  PGRST300: { status: 500, message: 'Server lacks JWT secret' },
  PGRST301: { status: 401, message: 'No suitable key or wrong key type' },
  PGRST302: { status: 401, message: 'Anonymous access is disabled' },
  PGRST303: { status: 401, message: 'Parsing claims failed' },
  PGRSTX00: { status: 500, message: 'Unexpected answer from the database' },
  GW101: { status: 404, message: 'No project is registered for this host' },
  GW102: { status: 403, message: 'This project is suspended' },
  GW103: { status: 503, message: 'This project is being moved' },
  GW104: { status: 401, message: 'No API key found in request' },
  GW105: { status: 401, message: 'Invalid API key' },
  GW106: { status: 503, message: 'The tenant registry cannot be reached' },
  GW107: { status: 404, message: 'No such endpoint' },
  GW108: { status: 400, message: 'Malformed request' },
  GW109: { status: 503, message: 'The keys that verify tokens cannot be fetched' },
  GW201: { status: 503, message: 'No healthy upstream for this request' },
  GW202: { status: 504, message: 'The database did not answer in time' },
  GW203: {
    status: 503,
    message: "The project's database has not been answering; it is not asked again for a moment",
  },
  GW204: {
    status: 503,
    message: "The project's connection string leads to an address that this installation does not allow",
  },
  GW205: { status: 503, message: 'The installation that this project has moved to cannot be reached' },
  GW206: { status: 502, message: 'The installation that this project has moved to broke off' },
  GW207: {
    status: 504,
    message: 'The installation that this project has moved to did not answer in time',
  },
  GW208: { status: 508, message: 'This request is being forwarded in a circle' },
  GW301: { status: 429, message: 'Too many requests' },
  GW302: { status: 413, message: 'Request body too large' },
  GW303: { status: 431, message: 'Request header fields too large' },
  GW304: { status: 408, message: 'The request was not received in time' },
  GW305: { status: 429, message: 'Too many requests in a short time' },
  GW306: { status: 429, message: 'Too many requests: this one waited too long for its turn' },
  GW307: { status: 415, message: 'Compressed request bodies are not taken' },
  GW310: { status: 400, message: 'The batch is malformed' },
  GW311: { status: 400, message: 'A request of the batch asks for what a batch cannot do' },
  GW312: { status: 413, message: 'The batch holds too many requests' },
  GW320: { status: 408, message: 'The client took too long to read the answer' },
  GW601: { status: 415, message: 'The query in the body is not of a type that can be read' },
  GW602: { status: 400, message: 'This method cannot be overridden so' },
  GW603: { status: 400, message: 'This cursor cannot be read' },
  GW604: { status: 400, message: 'This cannot be read in keyset pages' },
  GW901: { status: 500, message: 'Internal error' },
  GW902: { status: 499, message: 'The client closed the request' },
} as const satisfies Record<string, ErrorCodeEntry>;

interface ErrorCodeEntry {
  readonly status: number;
  readonly message: string;
}

export type ErrorCode = keyof typeof ERROR_CODES;
