import { connect } from 'node:net';
import { speakRaw } from '../support/speak.ts';
import { type MutableStage, type Mutation, patch, pause } from './mutation.ts';

const HTTP_SERVER = 'gateway/http/http-server.ts';

/** How long whatever is slow has to stay connected to count as left alone. */
const LEFT_ALONE_MS = 800;
const SLOW = { config: { gateway: { headersTimeoutMs: 150, requestTimeoutMs: 150 } } };
const ANSWER_BYTES = 14_000_000;

/** Asks the attacker's function for headers, and tells the answer's. */
const wished = async (stage: MutableStage, list: object): Promise<Readonly<Record<string, string>>> =>
  (
    await stage.call(stage.attacker, '/rpc/headers', {
      method: 'POST',
      body: JSON.stringify({ list: JSON.stringify(list), status: '200' }),
    })
  ).headers;

/** What goes over the wire, in and out. */
export const WIRE: readonly Mutation[] = [
  {
    defence: 'a body with a `Content-Encoding` is refused',
    edits: [
      {
        file: 'gateway/http/read-body.ts',
        part: `if (isEncoded(headers['content-encoding']))`,
        instead: `if (!OFF && isEncoded(headers['content-encoding']))`,
      },
    ],
    // What unfolds it in front of us sees another body than we do.
    async attack(stage) {
      const body = '{"statements":["SELECT 1"]}';
      const headers = { 'content-encoding': 'gzip' };
      return (await stage.call(stage.attacker, '/rpc/run', { method: 'POST', body, headers })).status === 200;
    },
  },
  {
    defence: 'what two servers could read in two ways is refused',
    gateway: {},
    edits: [
      {
        file: HTTP_SERVER,
        part: 'requireHostHeader: false,',
        instead: 'requireHostHeader: false,\n      insecureHTTPParser: OFF,',
      },
    ],
    async attack(stage) {
      const smuggled = `GET /rest/v1/own HTTP/1.1\r\nHost: ${stage.attacker}.localhost\r\n\r\n`;
      const head = `Host: ${stage.attacker}.localhost\r\nContent-Length: ${smuggled.length + 5}\r\nTransfer-Encoding: chunked`;
      const bytes = `POST /rest/v1/rpc/run HTTP/1.1\r\n${head}\r\n\r\n0\r\n\r\n${smuggled}`;
      return (await speakRaw(stage.port, bytes, 2)).length === 2;
    },
  },
  {
    defence: 'the size of headers is bounded',
    gateway: {},
    edits: [
      {
        file: HTTP_SERVER,
        part: 'maxHeaderSize: settings.maxHeaderBytes,',
        instead: 'maxHeaderSize: OFF ? 1_000_000 : settings.maxHeaderBytes,',
      },
    ],
    async attack(stage) {
      const head = `Host: ${stage.attacker}.localhost\r\nConnection: close\r\nX: ${'x'.repeat(200_000)}`;
      const [answer] = await speakRaw(stage.port, `GET /rest/v1/own HTTP/1.1\r\n${head}\r\n\r\n`, 1);
      return answer?.status !== 431;
    },
  },
  {
    defence: 'the size of bodies is bounded',
    edits: [
      {
        file: 'gateway/http/read-body.ts',
        part: `if (Number(headers['content-length'] ?? 0) > maxBytes) return`,
        instead: `if (!OFF && Number(headers['content-length'] ?? 0) > maxBytes) return`,
      },
      {
        file: 'gateway/http/read-body.ts',
        part: 'if (size > maxBytes) {',
        instead: 'if (!OFF && size > maxBytes) {',
      },
    ],
    given: (stage) => patch(stage, stage.attacker, { limits: { max_body_bytes: 1_000 } }),
    after: (stage) => patch(stage, stage.attacker, { limits: { max_body_bytes: null } }),
    attack: async (stage) => (await stage.run(`SELECT '${'x'.repeat(2_000)}'`)).status === 200,
  },
  {
    defence: 'slow clients are cut off: headers, bodies, readers of answers',
    gateway: SLOW,
    edits: [
      {
        file: HTTP_SERVER,
        part: 'headersTimeout: settings.headersTimeoutMs,',
        instead: 'headersTimeout: OFF ? 0 : settings.headersTimeoutMs,',
      },
      {
        file: HTTP_SERVER,
        part: 'requestTimeout: settings.requestTimeoutMs,',
        instead: 'requestTimeout: OFF ? 0 : settings.requestTimeoutMs,',
      },
      { file: HTTP_SERVER, part: '  cutSlowReaders(server,', instead: '  if (!OFF) cutSlowReaders(server,' },
    ],
    async attack(stage) {
      const outcomes = await Promise.all([
        staysWithHalfAHead(stage),
        staysWithHalfABody(stage),
        staysReading(stage),
      ]);
      const first = outcomes[0]!;
      // One that is not like the others was too late or too early: again.
      return outcomes.every((outcome) => outcome === first) ? first : undefined;
    },
  },
  {
    defence: 'line ends in a tenant’s headers are refused',
    edits: [
      {
        file: 'gateway/errors/header-text.ts',
        part: 'return CONTROL_CHARACTERS.test(text) ?',
        instead: 'if (OFF) return text;\n  return CONTROL_CHARACTERS.test(text) ?',
      },
    ],
    // Node's server refuses it as well, which makes it a fault of ours.
    async attack(stage) {
      const body = JSON.stringify({ list: '[{"X-A":"1\\r\\nX-Smuggled: 1"}]', status: '200' });
      const answer = await stage.call(stage.attacker, '/rpc/headers', { method: 'POST', body });
      return !answer.text.includes('PGRST111');
    },
  },
  {
    defence: 'a tenant’s headers do not frame the answer or redirect a proxy',
    edits: [
      {
        file: 'gateway/errors/header-text.ts',
        part: 'return FRAMING_HEADERS.has(',
        instead: 'return !OFF && FRAMING_HEADERS.has(',
      },
    ],
    attack: async (stage) =>
      Object.hasOwn(await wished(stage, [{ 'X-Accel-Redirect': '/internal' }]), 'x-accel-redirect'),
  },
  {
    defence: '`X-Content-Type-Options: nosniff` on every answer',
    edits: [
      {
        file: 'gateway/http/response-headers.ts',
        part: `headers['X-Content-Type-Options'] = 'nosniff';`,
        instead: `if (!OFF) headers['X-Content-Type-Options'] = 'nosniff';`,
      },
    ],
    attack: async (stage) =>
      (await stage.call(stage.attacker, '/own')).headers['x-content-type-options'] !== 'nosniff',
  },
  {
    defence: 'pages are neither framed nor do they tell their address',
    edits: [
      {
        file: 'gateway/respond/finish-response.ts',
        part: 'return type !== undefined &&',
        instead: 'return !OFF && type !== undefined &&',
      },
    ],
    async attack(stage) {
      const headers = await wished(stage, [{ 'Content-Type': 'text/html' }]);
      return headers['x-frame-options'] === undefined || headers['referrer-policy'] === undefined;
    },
  },
  {
    defence: 'where origins are named, others cannot read answers',
    given: named,
    after: unnamed,
    edits: [
      {
        file: 'gateway/http/cors.ts',
        part: 'if (!allowedOrigins.includes(origin))',
        instead: 'if (!OFF && !allowedOrigins.includes(origin))',
      },
    ],
    attack: async (stage) =>
      (await stage.call(stage.attacker, '/own', { headers: { origin: 'https://evil.example' } })).headers[
        'access-control-allow-origin'
      ] !== undefined,
  },
  {
    defence: 'where origins are named, `Vary` has the origin',
    given: named,
    after: unnamed,
    edits: [
      {
        file: 'gateway/http/response-headers.ts',
        part: 'if (settings !== undefined && settings.serverCors',
        instead: 'if (!OFF && settings !== undefined && settings.serverCors',
      },
    ],
    attack: async (stage) => !/origin/i.test((await stage.call(stage.attacker, '/own')).headers.vary ?? ''),
  },
];

async function named(stage: MutableStage): Promise<void> {
  const postgrest = { 'server-cors-allowed-origins': 'https://app.example' };
  await patch(stage, stage.attacker, { postgrest });
}

async function unnamed(stage: MutableStage): Promise<void> {
  await patch(stage, stage.attacker, { postgrest: { 'server-cors-allowed-origins': null } });
}

const staysWithHalfAHead = (stage: MutableStage): Promise<boolean> =>
  staysConnected(stage, `GET /rest/v1/own HTTP/1.1\r\nHost: ${stage.attacker}.localhost\r\n`);

const staysWithHalfABody = (stage: MutableStage): Promise<boolean> =>
  staysConnected(
    stage,
    `POST /rest/v1/rpc/run HTTP/1.1\r\nHost: ${stage.attacker}.localhost\r\nContent-Length: 10\r\n\r\n{`,
  );

/** Sends bytes and no more. */
async function staysConnected(stage: MutableStage, bytes: string): Promise<boolean> {
  const socket = connect(stage.port, '127.0.0.1');
  socket.on('error', () => undefined);
  const closed = new Promise<boolean>((resolve) => socket.once('close', () => resolve(false)));
  socket.resume();
  socket.write(bytes);
  const stays = await Promise.race([closed, pause(LEFT_ALONE_MS).then(() => true)]);
  socket.destroy();
  return stays;
}

/** Asks for more than all buffers on the way hold, reads nothing of it for a while, and then all that is left. */
async function staysReading(stage: MutableStage): Promise<boolean> {
  const socket = connect(stage.port, '127.0.0.1');
  socket.on('error', () => undefined);
  const body = JSON.stringify({ statements: [`SELECT repeat('x', ${ANSWER_BYTES})`] });
  const head = [
    'POST /rest/v1/rpc/run HTTP/1.1',
    `Host: ${stage.attacker}.localhost`,
    `apikey: ${stage.keys(stage.attacker).secret}`,
    'Content-Type: application/json',
    `Content-Length: ${body.length}`,
    'Connection: close',
  ];
  socket.write(`${head.join('\r\n')}\r\n\r\n${body}`);
  // The answer has begun.
  await new Promise<void>((resolve) => socket.once('readable', () => resolve()));
  await pause(LEFT_ALONE_MS);
  let received = 0;
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  socket.on('data', (chunk) => {
    received += chunk.length;
  });
  await closed;
  return received > ANSWER_BYTES;
}
