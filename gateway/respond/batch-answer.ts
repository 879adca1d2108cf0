import type { HttpResponse, ResponseHeaders } from '../errors/http-response.ts';

/** The response of one request of a batch. */
export interface PartAnswer extends HttpResponse {
  /** A JSON content type can be believed: the body was made by us or by PostgreSQL's own JSON functions. */
  readonly isOurs: boolean;
}

/** `application/json`, `application/geo+json`, `application/vnd.pgrst.object+json; …` */
const JSON_TYPE = /^application\/(?:[^;\s]+\+)?json\s*(?:;|$)/i;
const NULL = Buffer.from('null');

/**
 * The body of a batch's answer: a JSON array of `{status, headers, body}`. A JSON body stands in it as PostgreSQL wrote it, byte for
 * byte; any other is a text, or base64 with `"encoding":"base64"` when its bytes are none; without a body it is `null`.
 */
export function batchBody(parts: readonly PartAnswer[]): Buffer<ArrayBuffer> {
  const chunks: Uint8Array[] = [];
  parts.forEach((part, index) => {
    const { status } = part;
    const headers = shownHeaders(part.headers);
    const { encoding, value } = embed(part, headers['content-type']);
    const head = `${index === 0 ? '[' : ',\n '}{"status":${status},"headers":${JSON.stringify(headers)},${encoding}"body":`;
    chunks.push(Buffer.from(head), value, CLOSE);
  });
  chunks.push(END);
  return Buffer.concat(chunks);
}

const CLOSE = Buffer.from('}');
const END = Buffer.from(']');

/** Names in lower case, and texts as they were before they were made fit for a header line (`headerText`). */
function shownHeaders(headers: ResponseHeaders): ResponseHeaders {
  const shown: ResponseHeaders = {};
  for (const [name, value] of Object.entries(headers)) {
    shown[name.toLowerCase()] = typeof value === 'string' ? readable(value) : value.map(readable);
  }
  return shown;
}

function readable(value: string): string {
  return Buffer.from(value, 'latin1').toString('utf8');
}

function embed(
  { body: given, isOurs }: PartAnswer,
  contentType: string | string[] | undefined,
): { readonly encoding: string; readonly value: Uint8Array } {
  if (given === undefined || given.length === 0) return { encoding: '', value: NULL };
  const body = typeof given === 'string' ? Buffer.from(given) : given;
  const isJsonType = typeof contentType === 'string' && JSON_TYPE.test(contentType);
  if (isJsonType && isOurs) return { encoding: '', value: body };
  const text = decode(body);
  if (text !== undefined) {
    const isJson = isJsonType && parses(text);
    return { encoding: '', value: isJson ? body : Buffer.from(JSON.stringify(text)) };
  }
  const { buffer, byteOffset, byteLength } = body;
  return {
    encoding: '"encoding":"base64",',
    value: Buffer.from(`"${Buffer.from(buffer, byteOffset, byteLength).toString('base64')}"`),
  };
}

/** A handler of the tenant's may make anything, whatever type it gives it. */
function parses(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function decode(body: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body);
  } catch {
    return undefined;
  }
}
