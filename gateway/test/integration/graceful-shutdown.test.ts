import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { PARENT_WATCH_VARIABLE, parseListeningMessage } from '../../platform/parent-watch.ts';
import {
  anEdgeTenant,
  createEdgeDatabases,
  edgeEnvironment,
  registerEdgeTenant,
  untilTrue,
} from './support/edge.ts';
import { RawConnection } from './support/raw-http.ts';

const MAIN = fileURLToPath(new URL('../../main.ts', import.meta.url));

let databases: Awaited<ReturnType<typeof createEdgeDatabases>>;
const children: ChildProcess[] = [];

beforeAll(async () => {
  databases = await createEdgeDatabases();
  await registerEdgeTenant(databases.controlUrl, databases.tenantUrl, anEdgeTenant('acme'));
});
afterAll(() => databases?.close());
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

interface GatewayProcess {
  readonly child: ChildProcess;
  readonly port: number;
  readonly ended: Promise<number | null>;
  /** Lines of the log so far. */
  readonly output: () => string;
}

/** Starts the gateway as `npm start` does, and waits until it is ready. */
async function startGatewayProcess(env: Record<string, string> = {}): Promise<GatewayProcess> {
  const child = spawn(process.execPath, [MAIN], {
    env: { ...process.env, ...edgeEnvironment(databases.controlUrl), [PARENT_WATCH_VARIABLE]: '1', ...env },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  children.push(child);
  let output = '';
  child.stdout?.on('data', (chunk) => (output += String(chunk)));
  child.stderr?.on('data', (chunk) => (output += String(chunk)));
  const ended = once(child, 'exit').then(([status]: unknown[]) =>
    typeof status === 'number' ? status : null,
  );
  const listening = once(child, 'message').then(([message]: unknown[]) => parseListeningMessage(message));
  const port = await Promise.race([listening, ended.then(() => undefined)]);
  if (port === undefined) throw new Error(`the gateway did not start:\n${output}`);
  await untilTrue(async () => (await status(port, '/ready')) === 200);
  return { child, port, ended, output: () => output };
}

async function status(port: number, path: string): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, {
    headers: { 'x-forwarded-host': 'acme.localhost' },
  });
  await response.arrayBuffer();
  return response.status;
}

async function isRefused(port: number): Promise<boolean> {
  const probe = await RawConnection.open(port).catch(() => undefined);
  probe?.destroy();
  return probe === undefined;
}

/** Processes that a process has started. */
async function childrenOf(pid: number | undefined): Promise<readonly number[]> {
  const { stdout } = await promisify(execFile)('pgrep', ['-P', String(pid)]);
  return stdout.trim().split('\n').map(Number);
}

const request = (path: string) => `GET ${path} HTTP/1.1\r\nHost: acme.localhost\r\n\r\n`;

test('SIGTERM lets the request under way finish, takes no new ones, and ends with status 0', async () => {
  const { child, port, ended, output } = await startGatewayProcess();
  const [busy, idle] = [await RawConnection.open(port), await RawConnection.open(port)];
  await idle.send(request('/rest/v1/notes?select=id&limit=1'));
  expect(await idle.receive()).toMatchObject({ status: 200, body: '[{"id":1}]' });
  await busy.send(request('/rest/v1/rpc/slow?seconds=1'));
  await untilTrue(async () => {
    const metrics = await fetch(`http://127.0.0.1:${port}/metrics`).then((response) => response.text());
    return metrics.includes('cascata_transactions_in_flight 1');
  });
  child.kill('SIGTERM');
  await idle.untilClosed();
  await untilTrue(() => isRefused(port));
  expect(await busy.receive()).toMatchObject({
    status: 200,
    body: '"slept"',
    headers: { connection: 'close' },
  });
  await busy.untilClosed();
  expect(await ended).toBe(0);
  expect(output()).toContain('process-stopping');
});

test('after SIGTERM /ready says 503 at once, to whoever can still ask', async () => {
  const { child, port, ended } = await startGatewayProcess();
  const asking = await RawConnection.open(port);
  await asking.send('GET /ready HTTP/1.1\r\n');
  // Half a request is on its way, so the connection is not idle.
  await status(port, '/live');
  child.kill('SIGTERM');
  await untilTrue(() => isRefused(port));
  await asking.send('Host: x\r\n\r\n');
  expect(await asking.receive()).toMatchObject({
    status: 503,
    body: '{"status":"not ready","reason":"shutting down"}',
    headers: { connection: 'close', 'retry-after': '1' },
  });
  expect(await ended).toBe(0);
});

test('a second signal ends it at once', async () => {
  const { child, port, ended } = await startGatewayProcess();
  const busy = await RawConnection.open(port);
  await busy.send(request('/rest/v1/rpc/slow?seconds=20'));
  await untilTrue(async () => {
    const metrics = await fetch(`http://127.0.0.1:${port}/metrics`).then((response) => response.text());
    return metrics.includes('cascata_transactions_in_flight 1');
  });
  child.kill('SIGTERM');
  await untilTrue(() => isRefused(port));
  child.kill('SIGTERM');
  expect(await ended).toBe(143);
});

test('it ends when whoever started it has gone', async () => {
  const { child, ended } = await startGatewayProcess();
  child.disconnect();
  expect(await ended).toBe(0);
});

test('a port in use is one clear sentence', async () => {
  const { port } = await startGatewayProcess();
  await expect(startGatewayProcess({ GATEWAY_PORT: String(port) })).rejects.toThrow(
    `The gateway cannot listen on 127.0.0.1:${port}: the port is in use (set GATEWAY_PORT)`,
  );
});

test('a port in use ends all workers with status 1', async () => {
  const { port } = await startGatewayProcess();
  const env = { GATEWAY_PORT: String(port), GATEWAY_WORKERS: '2' };
  await expect(startGatewayProcess(env)).rejects.toThrow('the port is in use');
  expect(children.at(-1)?.exitCode).toBe(1);
});

test('several workers share one port, one that dies is replaced, and all end together', async () => {
  const { child, port, ended, output } = await startGatewayProcess({ GATEWAY_WORKERS: '2' });
  expect(await status(port, '/rest/v1/notes')).toBe(200);
  const started = () =>
    [...output().matchAll(/"process":"gateway-(\d+)"[^\n]*"kind":"process-started"/g)].length;
  await untilTrue(() => started() === 2);
  const [victim] = await childrenOf(child.pid);
  process.kill(victim!, 'SIGKILL');
  await untilTrue(() => started() === 3);
  expect(await status(port, '/rest/v1/notes')).toBe(200);
  const workers = await childrenOf(child.pid);
  expect(workers).toHaveLength(2);
  child.kill('SIGTERM');
  expect(await ended).toBe(0);
  expect(await isRefused(port)).toBe(true);
  for (const pid of workers) expect(() => process.kill(pid, 0)).toThrow('ESRCH');
});

test('whichever worker is asked, /metrics tells of all of them, also of one that has taken the place of another', async () => {
  const { child, port, output } = await startGatewayProcess({ GATEWAY_WORKERS: '2' });
  const started = () => [...output().matchAll(/"kind":"process-started"/g)].length;
  await untilTrue(() => started() === 2);
  const get = async (path: string) => {
    const connection = await RawConnection.open(port);
    await connection.send(request(path));
    const answer = await connection.receive();
    connection.destroy();
    return answer;
  };
  const SENT = 12;
  for (let i = 0; i < SENT; i++) expect((await get('/rest/v1/notes?select=id')).status).toBe(200);
  const counted = (text: string) =>
    [...text.matchAll(/^cascata_requests_total\{worker="\d",.*route="\/rest\/v1\/:relation".*\} (\d+)$/gm)]
      .map(([, value]) => Number(value))
      .reduce((sum, value) => sum + value, 0);
  const workersIn = (text: string) =>
    [...text.matchAll(/^process_start_time_seconds\{worker="(\d)"\} \d/gm)].map(([, worker]) => worker);
  for (let i = 0; i < 6; i++) {
    const { status: code, body } = await get('/metrics');
    expect([code, counted(body), workersIn(body)]).toEqual([200, SENT, ['1', '2']]);
    expect(body.match(/^# TYPE cascata_requests_total counter$/gm)).toHaveLength(1);
  }
  process.kill((await childrenOf(child.pid))[0]!, 'SIGKILL');
  await untilTrue(() => started() === 3);
  expect(workersIn((await get('/metrics')).body)).toEqual(['1', '2']);
});

test('a worker that is killed under load costs the requests it was serving, and nothing else', async () => {
  const { child, port, output } = await startGatewayProcess({ GATEWAY_WORKERS: '3' });
  const started = () =>
    [...output().matchAll(/"process":"gateway-(\d+)"[^\n]*"kind":"process-started"/g)].length;
  await expect.poll(started, { timeout: 30_000 }).toBe(3);
  const outcomes: (number | 'cut')[] = [];
  let isLoading = true;
  const CLIENTS = 6;
  const clients = Array.from({ length: CLIENTS }, async () => {
    while (isLoading) {
      await new Promise((resolve) => setTimeout(resolve, 10));
      const connection = await RawConnection.open(port);
      await connection.send(request('/rest/v1/notes?select=id&id=eq.1'));
      const answer = await connection.receive().catch(() => undefined);
      outcomes.push(answer === undefined ? 'cut' : answer.status);
      if (answer !== undefined) expect([answer.status, answer.body]).toEqual([200, '[{"id":1}]']);
      connection.destroy();
    }
  });
  await untilTrue(() => outcomes.length > 50);
  const [victim] = await childrenOf(child.pid);
  process.kill(victim!, 'SIGKILL');
  await expect.poll(started, { timeout: 30_000 }).toBe(4);
  const replacedAt = outcomes.length;
  await untilTrue(() => outcomes.length > replacedAt + 50);
  isLoading = false;
  await Promise.all(clients);
  // Each client can have had one request with the worker that died, and one on its way there.
  expect(outcomes.filter((outcome) => outcome === 'cut').length).toBeLessThanOrEqual(2 * CLIENTS);
  expect(outcomes.slice(replacedAt)).not.toContain('cut');
  expect(await childrenOf(child.pid)).toHaveLength(3);
}, 120_000);
