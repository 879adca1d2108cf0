import { Agent, request } from 'node:http';
import type { CorpusRequest } from './corpus/corpus-request.ts';
import type { Server } from './servers.ts';
import { signClaims } from './sign.ts';

export interface Answer {
  readonly status: number;
  /** Names in lower case; several of one name in the order they came. */
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
}

const TIMEOUT_MS = 30_000;
/** Far away and the same in every run, so that a token's text is too. */
const TOKEN_EXPIRY = 4_102_444_800;

/** Keeps one connection to each server. */
export class Sender {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });

  /** @throws {Error} when no answer comes */
  send(server: Server, { method, path, headers, body, as }: CorpusRequest): Promise<Answer> {
    const base = new URL(server.url);
    const sent: Record<string, string | string[]> = { host: server.host };
    if (body !== undefined) sent['content-type'] = 'application/json';
    if (as !== undefined) sent.authorization = `Bearer ${roleToken(as)}`;
    for (const [name, value] of Object.entries(headers)) sent[name.toLowerCase()] = value;
    if (body !== undefined) sent['content-length'] = String(Buffer.byteLength(body));
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    const outgoing = request(
      {
        host: base.hostname,
        port: base.port,
        path: (base.pathname === '/' ? '' : base.pathname) + path,
        method,
        headers: sent,
        agent: this.#agent,
        timeout: TIMEOUT_MS,
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: collectHeaders(response.rawHeaders),
            text: Buffer.concat(chunks).toString('utf8'),
          }),
        );
      },
    );
    outgoing.on('error', reject);
    outgoing.on('timeout', () => outgoing.destroy(new Error(`no answer in ${TIMEOUT_MS} ms`)));
    outgoing.end(body);
    return promise;
  }

  close(): void {
    this.#agent.destroy();
  }
}

function collectHeaders(raw: readonly string[]): Record<string, string> {
  const headers: Record<string, string> = {};
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = raw[i]!.toLowerCase();
    headers[name] = headers[name] === undefined ? raw[i + 1]! : `${headers[name]}, ${raw[i + 1]}`;
  }
  return headers;
}

/** A token for a role of the fixture; its subject is the user who owns the first two notes. */
function roleToken(role: string): string {
  return signClaims({ role, sub: '11111111-1111-1111-1111-111111111111', exp: TOKEN_EXPIRY });
}
