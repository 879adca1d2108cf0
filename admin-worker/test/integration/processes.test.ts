import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PARENT_WATCH_VARIABLE, parseListeningMessage } from '../../../gateway/platform/parent-watch.ts';
import { createTestDatabase, runSql, type TestDatabase } from '../../../test/support/database.ts';

const MAIN = fileURLToPath(new URL('../../main.ts', import.meta.url));
const TOKEN = randomBytes(16).toString('hex');
const id = `p${randomBytes(4).toString('hex')}`;

let database: TestDatabase;
let worker: ChildProcess;
let baseUrl: string;

beforeAll(async () => {
  database = await createTestDatabase();
  worker = start();
  baseUrl = await listening(worker);
});
afterAll(async () => {
  worker.kill('SIGKILL');
  await database.drop();
});

function start(): ChildProcess {
  return spawn(process.execPath, [MAIN], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    env: {
      ...process.env,
      NODE_ENV: 'test',
      ADMIN_PORT: '0',
      ADMIN_TOKEN: TOKEN,
      CASCATA_MASTER_KEY: 'x'.repeat(32),
      CONTROL_DATABASE_URL: database.url,
      LOG_LEVEL: 'error',
      [PARENT_WATCH_VARIABLE]: '1',
    },
  });
}

async function listening(child: ChildProcess): Promise<string> {
  for (;;) {
    const [message]: unknown[] = await once(child, 'message');
    const port = parseListeningMessage(message);
    if (port !== undefined) return `http://127.0.0.1:${port}`;
  }
}

async function call(
  method: string,
  path: string,
  body?: unknown,
): Promise<{ status: number; body: Record<string, Record<string, unknown>> }> {
  const response = await fetch(baseUrl + path, {
    method,
    headers: { authorization: `Bearer ${TOKEN}` },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, body: text === '' ? {} : JSON.parse(text) };
}

/** Processes of ours below a process, by the file they run. */
async function childrenOf(child: ChildProcess): Promise<Map<string, number>> {
  const list = spawn('ps', ['-o', 'pid=,args=', '--ppid', String(child.pid)], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  let text = '';
  for await (const chunk of list.stdout!) text += chunk;
  const found = new Map<string, number>();
  for (const [, pid, name] of text.matchAll(/^\s*(\d+) .*\/(api|runner)\/main\.[tj]s/gm))
    found.set(name!, Number(pid));
  return found;
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

describe('the processes of the admin worker', () => {
  test('api and runner are two processes that serve and work', async () => {
    expect([...(await childrenOf(worker)).keys()].toSorted()).toEqual(['api', 'runner']);
    expect((await fetch(`${baseUrl}/ready`)).status).toBe(200);
    expect((await call('POST', '/v1/tenants', { id, hosts: [`${id}.localhost`] })).status).toBe(201);
  });

  test('a job survives the death of the runner and is done once', async () => {
    const migrations = [{ name: '202611220001__t.sql', sql: 'SELECT pg_sleep(3); CREATE TABLE t (id int);' }];
    const { body } = await call('POST', `/v1/tenants/${id}/migrations`, { migrations });
    const job = async () => (await call('GET', `/v1/jobs/${body.job!.id}`)).body.job!;
    await expect.poll(async () => (await job()).message, { timeout: 20_000 }).toBe('202611220001__t.sql');
    const runner = (await childrenOf(worker)).get('runner')!;
    process.kill(runner, 'SIGKILL');
    await expect
      .poll(async () => (await childrenOf(worker)).get('runner') ?? runner, { timeout: 10_000 })
      .not.toBe(runner);
    await expect.poll(async () => (await job()).state, { timeout: 60_000, interval: 250 }).toBe('completed');
  }, 90_000);

  test('an api that died is started again', async () => {
    const api = (await childrenOf(worker)).get('api')!;
    const again = listening(worker);
    process.kill(api, 'SIGKILL');
    baseUrl = await again;
    expect((await call('GET', `/v1/tenants/${id}`)).status).toBe(200);
    expect((await call('DELETE', `/v1/tenants/${id}?confirm=${id}`)).status).toBe(204);
  });

  test('SIGTERM ends all of them with status 0', async () => {
    const children = [...(await childrenOf(worker)).values()];
    expect(children).toHaveLength(2);
    const exited = once(worker, 'exit');
    worker.kill('SIGTERM');
    expect(await exited).toEqual([0, null]);
    expect(children.filter(isAlive)).toEqual([]);
  });

  test('when the parent is killed the children end by themselves', async () => {
    worker = start();
    baseUrl = await listening(worker);
    const children = [...(await childrenOf(worker)).values()];
    worker.kill('SIGKILL');
    await expect.poll(() => children.filter(isAlive), { timeout: 20_000 }).toEqual([]);
  });

  test('a port in use is one clear sentence and an end, not a loop', async () => {
    worker = start();
    const port = new URL(await listening(worker)).port;
    const second = spawn(process.execPath, [MAIN], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: {
        ...process.env,
        NODE_ENV: 'test',
        ADMIN_PORT: port,
        ADMIN_TOKEN: TOKEN,
        CASCATA_MASTER_KEY: 'x'.repeat(32),
        CONTROL_DATABASE_URL: database.url,
        LOG_LEVEL: 'silent',
      },
    });
    let text = '';
    second.stderr!.on('data', (chunk) => {
      text += chunk;
    });
    const [status] = await once(second, 'exit');
    expect([status, text.trim()]).toEqual([
      77,
      `The admin API cannot listen on 127.0.0.1:${port}: the port is in use (set ADMIN_PORT)`,
    ]);
    const exited = once(worker, 'exit');
    worker.kill('SIGTERM');
    await exited;
    await runSql(database.url, 'SELECT 1');
  });
});
