/** One request of the corpus, which goes to both servers as it is. */
export interface CorpusRequest {
  /** Group, then what is special about it: `filters: jsonb column with fts`. */
  readonly name: string;
  readonly method: string;
  /** From the endpoint's root, as it goes on the wire. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Role of a valid token; absent: none is sent. */
  readonly as?: 'anon' | 'authenticated' | 'service_role' | 'nobody';
}

export type CorpusParts = Partial<Omit<CorpusRequest, 'body'>> & {
  /** Text as it is, anything else as JSON. */
  readonly body?: unknown;
};

/**
 * Fills in what a generator leaves out, and encodes in the path what may not stand in a request line. Percent signs are the
 * generator's own business.
 */
export function corpusRequest(group: string, path: string, parts: CorpusParts = {}): CorpusRequest {
  const { body, name, ...rest } = parts;
  const method = parts.method ?? (body === undefined ? 'GET' : 'POST');
  const encoded = encodePath(path);
  return {
    headers: {},
    ...rest,
    name: `${group}: ${name ?? `${method} ${path}`}`,
    method,
    path: encoded,
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  };
}

function encodePath(path: string): string {
  return path.replace(/[^\u0021-\u007e]|["<>\\^`{|}#]/gu, (character) => encodeURIComponent(character));
}

export const OBJECT = { accept: 'application/vnd.pgrst.object+json' } as const;
