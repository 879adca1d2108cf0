import type { CorpusRequest } from './corpus/corpus-request.ts';
import type { Answer } from './send.ts';

/** Why a header is not compared. All others are. */
export const HEADERS_NOT_COMPARED: Readonly<Record<string, string>> = {
  date: 'the time',
  server: 'tells the version',
  connection: "the HTTP server's own business",
  'keep-alive': "the HTTP server's own business",
  'transfer-encoding': 'PostgREST 12 sends bodies in chunks; ours have a length',
  'content-length': 'as above; that it is right is shown by the property tests',
  vary: 'since PostgREST 16',
  'proxy-status': 'since PostgREST 14',
  'x-request-id': 'ours only',
  'x-content-type-options': 'ours only',
};

/** One request, both answers, and where they differ: `status`, `body`, `header content-range`. */
export interface Pair {
  readonly request: CorpusRequest;
  readonly ours: Answer;
  readonly theirs: Answer;
  readonly differences: ReadonlySet<string>;
}

/** Compares byte for byte what is compared at all. */
export function comparePair(request: CorpusRequest, ours: Answer, theirs: Answer): Pair {
  const differences = new Set<string>();
  if (ours.status !== theirs.status) differences.add('status');
  for (const name of Object.keys({ ...ours.headers, ...theirs.headers }).sort()) {
    if (name in HEADERS_NOT_COMPARED) continue;
    if (ours.headers[name] !== theirs.headers[name]) differences.add(`header ${name}`);
  }
  if (ours.text !== theirs.text) differences.add('body');
  return { request, ours, theirs, differences };
}

/** The members of an error's body; all `undefined` for a body that is none. */
export interface ErrorBody {
  readonly code?: string;
  readonly message?: string;
  readonly details?: string | null;
  readonly hint?: string | null;
}

export function errorOf({ text }: Answer): ErrorBody {
  const value = parseJson(text);
  const isError = typeof value === 'object' && value !== null && 'code' in value && 'message' in value;
  return isError ? (value as ErrorBody) : {};
}

/** `undefined` for what is no JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
