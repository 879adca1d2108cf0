import { Agent, type OutgoingHttpHeaders, request } from 'node:http';
import { RawConnection, type RawResponse } from '../../../gateway/test/integration/support/raw-http.ts';

export interface Question {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string | string[]>>;
  readonly body?: string;
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
}

/** Connections that stay open, so that thousands of requests are no matter. */
export function openAgent(): Agent {
  return new Agent({ keepAlive: true, maxSockets: 8 });
}

/** One request. `target` is sent as it is: dot segments, absolute URLs and all. */
export function speak(
  { port, agent }: { readonly port: number; readonly agent: Agent },
  target: string,
  { method = 'GET', headers = {}, body }: Question,
): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const options = {
    host: '127.0.0.1',
    port,
    agent,
    method,
    path: target,
    headers: headers as OutgoingHttpHeaders,
  };
  const outgoing = request(options, (response) => {
    let text = '';
    response.setEncoding('utf8');
    response.on('data', (chunk: string) => {
      text += chunk;
    });
    response.on('error', reject);
    response.on('end', () => {
      const pairs = Object.entries(response.headers).map(([name, value]) => [name, String(value)]);
      resolve({ status: response.statusCode ?? 0, headers: Object.fromEntries(pairs), text });
    });
  });
  outgoing.on('error', reject);
  outgoing.end(body);
  return promise;
}

/** Bytes as they are on a connection of their own; all answers until `count` of them have come or the connection is closed. */
export async function speakRaw(port: number, bytes: string, count: number): Promise<RawResponse[]> {
  const connection = await RawConnection.open(port);
  const answers: RawResponse[] = [];
  try {
    await connection.send(bytes);
    for (let i = 0; i < count; i++) answers.push(await connection.receive());
  } catch {
    // Closed: what was not answered is missing.
  } finally {
    connection.destroy();
  }
  return answers;
}

/** What a report says of an answer: its status, and the code of its error. */
export function summaryOf({ status, text }: { readonly status: number; readonly text: string }): string {
  const code = /"code" ?: ?"([^"]+)"/.exec(text)?.[1];
  return code === undefined ? String(status) : `${status} ${code}`;
}
