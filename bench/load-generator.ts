import { readFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import type { LoadResult } from './load.ts';

/** What the file holds that the command line names, as JSON. */
export interface LoadJob {
  readonly port: number;
  readonly seconds: number;
  readonly connections: number;
  /** Gone through in turn. */
  readonly requests: readonly {
    readonly method: string;
    readonly path: string;
    readonly headers: Readonly<Record<string, string>>;
    readonly body: string | undefined;
  }[];
}

const HEADERS_END = Buffer.from('\r\n\r\n');
const LENGTH_HEADER = /\r\ncontent-length: *(\d+)/i;
const CHUNKED_HEADER = /\r\ntransfer-encoding: *chunked/i;
const LAST_CHUNK = Buffer.from('0\r\n\r\n');

/** Keeps each connection busy with one request at a time, written to the socket as prepared bytes; responses are only measured. */
async function generateLoad(job: LoadJob): Promise<LoadResult> {
  const requests = job.requests.map(requestBytes);
  const latenciesMs: number[] = [];
  let failures = 0;
  let turn = 0;
  const startedAt = performance.now();
  const endsAt = startedAt + job.seconds * 1000;
  const runConnection = (): Promise<void> =>
    new Promise((resolve) => {
      const socket = connect(job.port, '127.0.0.1').setNoDelay(true);
      let sentAt = 0;
      const send = (): void => {
        if (performance.now() >= endsAt) {
          socket.end();
          return;
        }
        sentAt = performance.now();
        socket.write(requests[turn++ % requests.length]!);
      };
      readResponses(socket, (status) => {
        latenciesMs.push(performance.now() - sentAt);
        if (status < 200 || status > 299) failures++;
        send();
      });
      socket.on('connect', send);
      socket.on('error', () => failures++);
      socket.on('close', () => resolve());
    });
  await Promise.all(Array.from({ length: job.connections }, runConnection));
  latenciesMs.sort((a, b) => a - b);
  return {
    requests: latenciesMs.length,
    seconds: (performance.now() - startedAt) / 1000,
    p50Ms: percentile(latenciesMs, 0.5),
    p99Ms: percentile(latenciesMs, 0.99),
    failures,
  };
}

function requestBytes({ method, path, headers, body }: LoadJob['requests'][number]): Buffer {
  const lines = [`${method} ${path} HTTP/1.1`];
  for (const [name, value] of Object.entries(headers)) lines.push(`${name}: ${value}`);
  if (body !== undefined) lines.push(`content-length: ${Buffer.byteLength(body)}`);
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n${body ?? ''}`);
}

function readResponses(socket: Socket, onResponse: (status: number) => void): void {
  let buffered: Buffer = Buffer.alloc(0);
  socket.on('data', (chunk) => {
    buffered = buffered.length === 0 ? chunk : Buffer.concat([buffered, chunk]);
    const end = responseEnd(buffered);
    if (end === undefined) return;
    // `HTTP/1.1 200`
    const status = Number(buffered.toString('latin1', 9, 12));
    buffered = buffered.subarray(end);
    onResponse(status);
  });
}

/** Length of the first response in the buffer, once all of it is there. */
function responseEnd(buffer: Buffer): number | undefined {
  const headersEnd = buffer.indexOf(HEADERS_END);
  if (headersEnd < 0) return undefined;
  const head = buffer.toString('latin1', 0, headersEnd);
  const bodyStart = headersEnd + HEADERS_END.length;
  if (CHUNKED_HEADER.test(head)) {
    const last = buffer.indexOf(LAST_CHUNK, bodyStart - 2);
    return last < 0 ? undefined : last + LAST_CHUNK.length;
  }
  const end = bodyStart + Number(LENGTH_HEADER.exec(head)?.[1] ?? 0);
  return buffer.length < end ? undefined : end;
}

function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

const job: LoadJob = JSON.parse(await readFile(process.argv[2] ?? '', 'utf8'));
process.stdout.write(`${JSON.stringify(await generateLoad(job))}\n`);
