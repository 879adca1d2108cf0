import { createHmac } from 'node:crypto';
import { request } from 'node:http';
import type { Exchange } from '../cases/case.ts';

export const CONFORMANCE_JWT_SECRET = 'conformance-secret-of-32-characters-or-more';

/** Where the cases are sent. */
export interface Target {
  /** Base URL without a slash at its end; may hold a path prefix (`http://127.0.0.1:8000/rest/v1`). */
  readonly url: string;
  /** `Host` header, when the URL's own does not do. */
  readonly host?: string;
}

/** What came back, cut down to what an exchange states; compare it with `expectedOutcome`. */
export interface Outcome {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | null>>;
  readonly body?: unknown;
}

/** Sends one exchange and cuts the answer down to what the exchange makes claims about. */
export async function actualOutcome(target: Target, exchange: Exchange): Promise<Outcome> {
  const answer = await send(target, exchange);
  const headers: Record<string, string | null> = {};
  for (const [name, wanted] of Object.entries(exchange.responseHeaders ?? {})) {
    const given = answer.headers.get(name) ?? null;
    headers[name] = wanted instanceof RegExp && given !== null && wanted.test(given) ? String(wanted) : given;
  }
  return { status: answer.status, headers, ...actualBody(exchange, answer.text) };
}

/** The claims of an exchange in the shape of `actualOutcome`. */
export function expectedOutcome(exchange: Exchange): Outcome {
  const headers: Record<string, string | null> = {};
  for (const [name, wanted] of Object.entries(exchange.responseHeaders ?? {})) {
    headers[name] = wanted instanceof RegExp ? String(wanted) : wanted;
  }
  const status = exchange.status ?? 200;
  if (exchange.text !== undefined) {
    return { status, headers, body: exchange.text instanceof RegExp ? String(exchange.text) : exchange.text };
  }
  if (exchange.jsonIncludes !== undefined) return { status, headers, body: exchange.jsonIncludes };
  if (exchange.json !== undefined) return { status, headers, body: exchange.json };
  return { status, headers };
}

function actualBody(exchange: Exchange, text: string): { body?: unknown } {
  if (exchange.text instanceof RegExp)
    return { body: exchange.text.test(text) ? String(exchange.text) : text };
  if (exchange.text !== undefined) return { body: text };
  if (exchange.jsonIncludes === undefined && exchange.json === undefined) return {};
  const value = parseJson(text);
  const wanted = exchange.jsonIncludes;
  if (wanted === undefined || typeof value !== 'object' || value === null) return { body: value };
  const entries = Object.entries(value).filter(([key]) => key in wanted);
  return { body: entries.length === Object.keys(wanted).length ? Object.fromEntries(entries) : value };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

interface Answer {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly text: string;
}

// node:http instead of fetch: fetch sets its own Host, Accept and Accept-Language, and hides what it decodes.
function send(target: Target, exchange: Exchange): Promise<Answer> {
  const url = new URL(target.url);
  const body = exchange.body === undefined ? undefined : bodyText(exchange.body);
  const headers: Record<string, string> = {};
  if (target.host !== undefined) headers.host = target.host;
  if (body !== undefined) headers['content-type'] = 'application/json';
  if (exchange.as !== undefined)
    headers.authorization = `Bearer ${signToken({ role: exchange.as, sub: 'ann' })}`;
  if (exchange.claims !== undefined) headers.authorization = `Bearer ${signToken(exchange.claims)}`;
  Object.assign(headers, exchange.headers);
  if (body !== undefined) headers['content-length'] = String(Buffer.byteLength(body));
  const path = (url.pathname === '/' ? '' : url.pathname) + encodePath(exchange.path);
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const outgoing = request(
    {
      host: url.hostname,
      port: url.port,
      path,
      method: exchange.method ?? 'GET',
      headers,
      agent: false,
      timeout: 20_000,
    },
    (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const given = Object.entries(response.headers).map(
          ([name, value]) => [name, Array.isArray(value) ? value.join(', ') : (value ?? '')] as const,
        );
        resolve({
          status: response.statusCode ?? 0,
          headers: new Map(given),
          text: Buffer.concat(chunks).toString('utf8'),
        });
      });
    },
  );
  outgoing.on('error', reject);
  outgoing.on('timeout', () =>
    outgoing.destroy(new Error(`No answer to ${exchange.method ?? 'GET'} ${exchange.path}`)),
  );
  outgoing.end(body);
  return promise;
}

function bodyText(body: unknown): string {
  return typeof body === 'string' ? body : JSON.stringify(body);
}

/** Encodes what may not stand in a URL; percent signs are the case's own business. */
function encodePath(path: string): string {
  return path.replace(/[^\u0021-\u007e]|["<>\\^`{|}]/gu, (character) => encodeURIComponent(character));
}

/** HS256 with the suite's secret. `exp`, `nbf` and `iat` given as numbers are seconds from now. */
export function signToken(claims: Readonly<Record<string, unknown>>): string {
  const now = Math.floor(Date.now() / 1000);
  const dated = Object.entries(claims).map(([name, value]) =>
    ['exp', 'nbf', 'iat'].includes(name) && typeof value === 'number' ? [name, now + value] : [name, value],
  );
  const parts = [{ alg: 'HS256', typ: 'JWT' }, Object.fromEntries(dated)].map((part) =>
    Buffer.from(JSON.stringify(part)).toString('base64url'),
  );
  const signed = parts.join('.');
  return `${signed}.${createHmac('sha256', CONFORMANCE_JWT_SECRET).update(signed).digest('base64url')}`;
}
