import { mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Secret } from '../../../gateway/registry/secrets.ts';
import { eventually, findProcesses, startProcess } from '../../../test/support/processes.ts';
import { startEmbeddedPostgres } from '../../embedded-postgres.ts';

const PASSWORD = new Secret('correct horse / battery');

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'cascata-embedded-'));
});

afterEach(() => rm(directory, { recursive: true, force: true }));

function start(clusterDir = join(directory, 'cluster')) {
  return startEmbeddedPostgres({
    clusterDir,
    auth: { kind: 'scram', password: PASSWORD },
    port: 0,
    settings: { fsync: 'off' },
  });
}

async function query(url: string, text: string): Promise<unknown[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(text)).rows;
  } finally {
    await client.end();
  }
}

test('a second start finds the data, and stop leaves nothing that listens', async () => {
  const first = await start();
  await query(first.url('postgres').reveal(), 'CREATE TABLE kept AS SELECT 7 AS n');
  await first.stop();
  await expect(query(first.url('postgres').reveal(), 'SELECT 1')).rejects.toThrow('ECONNREFUSED');
  const second = await start();
  try {
    expect(await query(second.url('postgres').reveal(), 'SELECT n FROM kept')).toEqual([{ n: 7 }]);
  } finally {
    await second.stop();
  }
});

test('without the password nobody gets in, and the server runs as an unprivileged account on loopback only', async () => {
  const server = await start();
  try {
    const wrong = `postgres://postgres:wrong@127.0.0.1:${server.port}/postgres`;
    await expect(query(wrong, 'SELECT 1')).rejects.toThrow('password authentication failed');
    expect(
      await query(
        server.url('postgres').reveal(),
        `SELECT current_setting('listen_addresses') AS addresses, current_setting('unix_socket_directories') AS sockets,
                (SELECT string_agg(DISTINCT auth_method, ',') FROM pg_hba_file_rules) AS auth`,
      ),
    ).toEqual([{ addresses: '127.0.0.1', sockets: '', auth: 'scram-sha-256' }]);
    expect((await stat(join(directory, 'cluster'))).uid).not.toBe(0);
  } finally {
    await server.stop();
  }
});

test('a data directory in use, of another version, of something else, and a file in its place give one sentence each', async () => {
  const server = await start();
  try {
    await expect(start()).rejects.toThrow(
      /^Another server \(process \d+\) is already running on the data directory .*: stop it or choose another DATA_DIR\.$/,
    );
  } finally {
    await server.stop();
  }

  const old = join(directory, 'old');
  await mkdir(join(old, 'global'), { recursive: true });
  await writeFile(join(old, 'PG_VERSION'), '15\n');
  await expect(start(old)).rejects.toThrow(
    `${old} was made by PostgreSQL 15, but the server here is version 17: move it away or choose another DATA_DIR.`,
  );

  const foreign = join(directory, 'foreign');
  await mkdir(foreign);
  await writeFile(join(foreign, 'letter.txt'), 'Dear all');
  await expect(start(foreign)).rejects.toThrow(
    `${foreign} is not a PostgreSQL data directory (no valid PG_VERSION in it): move it away or choose another DATA_DIR.`,
  );

  const file = join(directory, 'file');
  await writeFile(file, '');
  await expect(start(file)).rejects.toThrow(
    `${file} is not a directory: move it away or choose another DATA_DIR.`,
  );
});

test.runIf(process.platform === 'linux')(
  'a lock left by a killed server does not stop the next one, though its process id is in use again',
  async () => {
    await (await start()).stop();
    await writeFile(
      join(directory, 'cluster', 'postmaster.pid'),
      `${process.ppid}\n${join(directory, 'cluster')}\n`,
    );
    const server = await start();
    await server.stop();
  },
);

test('a server whose starter is killed with -9 ends too, and its data are whole', async () => {
  const marker = join(directory, 'cluster');
  const script = `
    import { startEmbeddedPostgres } from './launcher/embedded-postgres.ts';
    import { Secret } from './gateway/registry/secrets.ts';
    const auth = { kind: 'scram', password: new Secret(process.env.PASSWORD) };
    const server = await startEmbeddedPostgres({ clusterDir: process.env.CLUSTER, auth, port: 0 });
    process.stdout.write('port ' + server.port + '\\n');
  `;
  const starter = startProcess([process.execPath, '--input-type=module-typescript', '--eval', script], {
    CLUSTER: marker,
    PASSWORD: PASSWORD.reveal(),
  });
  const [, port] = await starter.printed(/port (\d+)/);
  const url = `postgres://postgres:${encodeURIComponent(PASSWORD.reveal())}@127.0.0.1:${port}/postgres`;
  await query(url, 'CREATE TABLE kept AS SELECT 7 AS n');
  starter.kill('SIGKILL');
  expect(await starter.ended).toBe('SIGKILL');
  await eventually(async () => (await findProcesses(marker)).length === 0, {
    what: 'the server has ended',
  });
  const again = await start();
  try {
    expect(await query(again.url('postgres').reveal(), 'SELECT n FROM kept')).toEqual([{ n: 7 }]);
  } finally {
    await again.stop();
  }
});
