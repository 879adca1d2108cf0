import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient } from '@supabase/supabase-js';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { eventually, findProcesses, startProcess, type TestProcess } from '../support/processes.ts';

const NODE = process.execPath;
const READY = /Cascata Edge is ready/;

let dataDir: string;
let started: TestProcess[];

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'cascata-start-'));
  started = [];
});

afterEach(async () => {
  for (const { kill, ended } of started) {
    kill('SIGTERM');
    await ended;
  }
  await noProcessLeft();
  await rm(dataDir, { recursive: true, force: true });
});

function start(
  env: Readonly<Record<string, string>> = {},
  command: readonly [string, ...string[]] = [NODE, 'launcher/main.ts'],
) {
  const launched = startProcess(command, { DATA_DIR: dataDir, GATEWAY_PORT: '0', ADMIN_PORT: '0', ...env });
  started.push(launched);
  return launched;
}

/** Every process of ours has DATA_DIR in its environment, PostgreSQL as its working directory. */
function noProcessLeft(): Promise<void> {
  return eventually(async () => (await findProcesses(dataDir)).length === 0, {
    what: `no process left on ${dataDir}`,
  });
}

interface Endpoints {
  readonly gateway: string;
  readonly admin: string;
  readonly adminToken: string;
}

function endpoints({ output: { stdout } }: TestProcess): Endpoints {
  const find = (pattern: RegExp) => pattern.exec(stdout)?.[1] ?? '';
  return {
    gateway: find(/^ {2}gateway\s+(\S+)$/m),
    admin: find(/^ {2}admin worker\s+(\S+)$/m),
    adminToken: find(/^ {2}ADMIN_TOKEN\s+(\S+)$/m),
  };
}

/** supabase-js as an app uses it. Node may not resolve `*.localhost`, hence the header. */
function clientOf(tenant: string, { gateway, key }: { gateway: string; key: string }) {
  return createClient(gateway, key, { global: { headers: { 'X-Forwarded-Host': `${tenant}.localhost` } } });
}

function keyOf(tenant: string, kind: 'anon' | 'publishable', { output: { stdout } }: TestProcess): string {
  const section = stdout.slice(stdout.indexOf(`  Tenant ${tenant}:`));
  return new RegExp(`^ {4}${kind}\\s+(\\S+)$`, 'm').exec(section)?.[1] ?? '';
}

test('one command gives two tenants whose data supabase-js reads, on a directory of its own; SIGTERM leaves nothing; the next start finds what was written', async () => {
  const first = start();
  await first.printed(READY);
  // Nothing else is on the screen of whoever reads it.
  expect(first.output).toEqual({ stdout: expect.stringMatching(/^\nCascata Edge is ready/), stderr: '' });
  const { gateway, admin, adminToken } = endpoints(first);
  const readiness = await Promise.all(
    [gateway, admin].map(async (url) => (await fetch(`${url}/ready`)).status),
  );
  expect(readiness).toEqual([200, 200]);

  const secretFiles = ['master-key', 'admin-token', 'postgres-password'].map((name) =>
    join(dataDir, 'secrets', name),
  );
  const modes = await Promise.all(secretFiles.map(async (file) => (await stat(file)).mode & 0o777));
  expect(modes).toEqual([0o600, 0o600, 0o600]);
  expect((await readFile(secretFiles[1]!, 'utf8')).trim()).toBe(adminToken);

  const rival = start();
  expect(await rival.ended).toBe(1);
  expect(rival.output.stderr).toMatch(
    /^Another server \(process \d+\) is already running on the data directory .*postgres: stop it or choose another DATA_DIR\.\n$/,
  );

  const acme = clientOf('acme', { gateway, key: keyOf('acme', 'publishable', first) });
  const globex = clientOf('globex', { gateway, key: keyOf('globex', 'anon', first) });
  const projects = await acme.from('projects').select('name,todos(title,tags(name))').eq('id', 1);
  expect(projects).toMatchObject({
    error: null,
    data: [
      {
        name: 'Launch the website',
        todos: [
          { title: 'Choose a domain name', tags: [] },
          { title: 'Write the landing page', tags: [{ name: 'urgent' }, { name: 'writing' }] },
          { title: 'Set up monitoring', tags: [{ name: 'hardware' }] },
        ],
      },
    ],
  });
  const books = await globex
    .rpc('search_books', { term: 'journey' })
    .select('title,authors(name)')
    .order('title');
  expect(books).toMatchObject({
    error: null,
    data: [
      { title: 'Around the World in Eighty Days', authors: { name: 'Jules Verne' } },
      { title: 'The Voyage of the Beagle', authors: { name: 'Charles Darwin' } },
      { title: 'Twenty Thousand Leagues Under the Sea', authors: { name: 'Jules Verne' } },
    ],
  });

  const stranger = clientOf('globex', { gateway, key: keyOf('acme', 'anon', first) });
  expect((await stranger.from('books').select()).status).toBe(401);

  const tenants = await fetch(`${admin}/v1/tenants`, { headers: { authorization: `Bearer ${adminToken}` } });
  expect(tenants.status).toBe(200);

  const added = await fetch(`${gateway}/rest/v1/tags`, {
    method: 'POST',
    headers: {
      apikey: await serviceRoleKey(admin, adminToken),
      host: 'acme.localhost',
      'x-forwarded-host': 'acme.localhost',
      'content-type': 'application/json',
    },
    body: JSON.stringify({ name: 'kept' }),
  });
  expect(added.status).toBe(201);

  first.kill('SIGTERM');
  expect(await first.ended).toBe(0);
  await noProcessLeft();

  const second = start();
  await second.printed(READY);
  const again = clientOf('acme', {
    gateway: endpoints(second).gateway,
    key: keyOf('acme', 'publishable', first),
  });
  expect(await again.from('tags').select('name').eq('name', 'kept')).toMatchObject({
    error: null,
    data: [{ name: 'kept' }],
  });
  expect(endpoints(second).adminToken).toBe(adminToken);
});

async function serviceRoleKey(admin: string, token: string): Promise<string> {
  const response = await fetch(`${admin}/v1/tenants/acme/keys`, {
    headers: { authorization: `Bearer ${token}` },
  });
  const { keys }: { keys: { service_role: string } } = JSON.parse(await response.text());
  return keys.service_role;
}

test('npm start ended by SIGTERM, and a launcher ended by kill -9, leave no process', async () => {
  const throughNpm = start({}, ['npm', 'start']);
  await throughNpm.printed(READY);
  throughNpm.kill('SIGTERM');
  await throughNpm.ended;
  await noProcessLeft();

  const launcher = start();
  await launcher.printed(READY);
  launcher.kill('SIGKILL');
  expect(await launcher.ended).toBe('SIGKILL');
  await noProcessLeft();
});

test('a port in use is told in one sentence, and nothing is started', async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  try {
    const launched = start({ GATEWAY_PORT: String(port) });
    expect(await launched.ended).toBe(1);
    expect(launched.output).toEqual({
      stdout: '',
      stderr: `Port ${port} on 127.0.0.1 is already in use: set GATEWAY_PORT to another port (0 for any free one).\n`,
    });
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
});

test('a data directory that is a file, or holds a cluster of another version, is told in one sentence', async () => {
  const file = join(dataDir, 'file');
  await writeFile(file, '');
  const onFile = start({ DATA_DIR: file });
  expect(await onFile.ended).toBe(1);
  expect(onFile.output.stderr).toBe(
    `DATA_DIR ${file} is not a directory: move it away or choose another DATA_DIR.\n`,
  );

  await mkdir(join(dataDir, 'postgres', 'global'), { recursive: true });
  await writeFile(join(dataDir, 'postgres', 'PG_VERSION'), '12\n');
  const broken = start();
  expect(await broken.ended).toBe(1);
  expect(broken.output.stderr).toBe(
    `${dataDir}/postgres was made by PostgreSQL 12, but the server here is version 17: move it away or choose another DATA_DIR.\n`,
  );
});

test('in production every missing variable is told, with status 78', async () => {
  const launched = start({ NODE_ENV: 'production' });
  expect(await launched.ended).toBe(78);
  expect(launched.output).toEqual({
    stdout: '',
    stderr: `Configuration: 3 problems
  CASCATA_MASTER_KEY: missing (or set CASCATA_MASTER_KEY_FILE)
  ADMIN_TOKEN: missing (or set ADMIN_TOKEN_FILE)
  CONTROL_DATABASE_URL: missing (or set CONTROL_DATABASE_URL_FILE)
`,
  });
});
