import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import { JOB_LABEL, VOLUME_TARGET } from '../containers/container-engine.ts';
import { problemOfContainer } from './container-rules.ts';
import { classifyCall } from './engine-calls.ts';

export interface EngineProxyOptions {
  /** Path of the engine's socket. */
  readonly socketPath: string;
  /** Name of the database server's container. */
  readonly coreContainer: string;
}

type Verdict = { readonly problem: string } | { readonly problem: undefined; readonly body?: Buffer };

const MAX_BODY_BYTES = 256 * 1024;

/** Stands between the runner and the engine's socket: the few calls that bringing extensions takes, and nothing else. */
export function createEngineProxy(options: EngineProxyOptions): Server {
  return createServer((incoming, answer) => {
    decide(incoming, options).then(
      (verdict) => {
        if (verdict.problem === undefined) forward(incoming, answer, { ...options, body: verdict.body });
        else refuse(answer, 403, verdict.problem);
      },
      () => refuse(answer, 502, 'the call could not be checked with the engine'),
    );
  });
}

async function decide(incoming: IncomingMessage, options: EngineProxyOptions): Promise<Verdict> {
  const call = classifyCall(incoming.method ?? '', incoming.url ?? '');
  switch (call.kind) {
    case 'allowed':
      return { problem: undefined };
    case 'refused':
      return { problem: call.problem };
    case 'create': {
      const body = await readBody(incoming);
      const problem = problemOfContainer(parseJson(body), await coreOf(options));
      return problem === undefined
        ? { problem, body }
        : { problem: `a container like this is not made: ${problem}` };
    }
    case 'look':
    case 'own': {
      if (call.kind === 'look' && call.container === options.coreContainer) return { problem: undefined };
      const found = await inspect(options, call.container);
      const isOurs = at(found, 'Config', 'Labels', JOB_LABEL) !== undefined;
      const isCore = call.kind === 'look' && at(found, 'Name') === `/${options.coreContainer}`;
      // What is not there is answered by the engine.
      if (found === undefined || isOurs || isCore) return { problem: undefined };
      return { problem: 'that container was not made for an extension' };
    }
    default:
      return call satisfies never;
  }
}

async function coreOf(options: EngineProxyOptions): Promise<{ image: string; volume: string | undefined }> {
  const core = await inspect(options, options.coreContainer);
  const mounts = at(core, 'Mounts');
  const mount = (Array.isArray(mounts) ? mounts : []).find(
    (one: unknown) => at(one, 'Destination') === VOLUME_TARGET,
  );
  const name = at(mount, 'Name');
  return { image: String(at(core, 'Image')), volume: typeof name === 'string' ? name : undefined };
}

function at(value: unknown, ...path: readonly string[]): unknown {
  return path.reduce<unknown>(
    (inner, key) => (typeof inner === 'object' && inner !== null ? Reflect.get(inner, key) : undefined),
    value,
  );
}

/** @returns `undefined` for what is not JSON: no rule lets it through */
function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    return undefined;
  }
}

async function readBody(incoming: AsyncIterable<unknown>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of incoming) {
    if (!(chunk instanceof Buffer)) continue;
    bytes += chunk.length;
    if (bytes > MAX_BODY_BYTES) throw new Error('the body is too large');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

async function inspect({ socketPath }: EngineProxyOptions, container: string): Promise<unknown> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  request({ socketPath, path: `/containers/${container}/json` }, resolve)
    .on('error', reject)
    .end();
  const answer = await promise;
  const chunks: Buffer[] = [];
  for await (const chunk of answer) chunks.push(chunk as Buffer);
  return answer.statusCode === 200 ? parseJson(Buffer.concat(chunks)) : undefined;
}

function forward(
  incoming: IncomingMessage,
  answer: ServerResponse,
  { socketPath, body }: EngineProxyOptions & { readonly body: Buffer | undefined },
): void {
  // No upgrade: a hijacked connection would be one that nobody checks.
  const { connection: _, upgrade: __, 'transfer-encoding': chunked, ...headers } = incoming.headers;
  const outgoing = request(
    {
      socketPath,
      method: incoming.method,
      path: incoming.url,
      headers:
        body === undefined && chunked !== undefined
          ? { ...headers, 'transfer-encoding': chunked }
          : { ...headers, ...(body === undefined ? {} : { 'content-length': body.length }) },
    },
    (response) => {
      answer.writeHead(response.statusCode ?? 502, response.headers);
      response.pipe(answer);
    },
  );
  outgoing.on('error', () => {
    if (answer.headersSent) answer.destroy();
    else refuse(answer, 502, 'the engine does not answer');
  });
  answer.on('close', () => outgoing.destroy());
  if (body === undefined) incoming.pipe(outgoing);
  else outgoing.end(body);
}

function refuse(answer: ServerResponse, status: number, problem: string): void {
  answer.writeHead(status, { 'Content-Type': 'application/json', Connection: 'close' });
  answer.end(JSON.stringify({ message: `the proxy of the container engine refused: ${problem}` }));
}
