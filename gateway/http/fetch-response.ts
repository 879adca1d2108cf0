import { bodyBesideHeaders, headerLines } from '../errors/header-text.ts';
import type { HttpResponse } from '../errors/http-response.ts';
import { streamBody } from './write-stream.ts';

/** The same response as an object of the Fetch API. */
export function fetchResponse({ status, statusText, headers, body, stream }: HttpResponse): Response {
  const lines = Object.entries(headers).flatMap(([name, value]) =>
    (typeof value === 'string' ? [value] : value).map((one): [string, string] => [name, one]),
  );
  const hasList = lines.length !== Object.keys(headers).length;
  const given =
    stream === undefined ? body && bodyBesideHeaders(body, headerLines(headers)) : streamBody(stream);
  return new Response(given || null, {
    status,
    ...(statusText === undefined ? {} : { statusText }),
    // A plain object is what the adapter writes fastest.
    headers: hasList ? lines : (headers as Record<string, string>),
  });
}
