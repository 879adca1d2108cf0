import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  freePort,
  type PgBouncerVersion,
  type RunningPgBouncer,
  startPgBouncer,
  whyNoPgBouncer,
} from '../../../../test/support/pgbouncer.ts';
import { aRequest, type Bench, firstFields, makeBench, openPools, upstreamAt } from './support.ts';

const SERVER_CONNECTIONS = 3;
const REQUESTS = 300;

/** A PgBouncer with fewer connections to the server than the gateway has to it, so that each transaction may get another one. */
async function startBouncer(version: PgBouncerVersion, bench: Bench, settings: readonly string[]) {
  const folder = await mkdtemp(join(tmpdir(), 'pgbouncer-'));
  await chmod(folder, 0o777);
  const port = await freePort();
  const url = new URL(bench.url);
  const database = url.pathname.slice(1);
  const server = `host=127.0.0.1 port=${url.port} dbname=${database} pool_size=${SERVER_CONNECTIONS}`;
  await writeFile(join(folder, 'userlist.txt'), `"${url.username}" "secret"\n`);
  await writeFile(
    join(folder, 'pgbouncer.ini'),
    [
      '[databases]',
      `${database} = ${server}`,
      '[pgbouncer]',
      'listen_addr = 127.0.0.1',
      `listen_port = ${port}`,
      'unix_socket_dir =',
      'auth_type = scram-sha-256',
      `auth_file = ${folder}/userlist.txt`,
      'pool_mode = transaction',
      'server_reset_query =',
      ...settings,
      '',
    ].join('\n'),
  );
  const bouncer = await startPgBouncer(version, join(folder, 'pgbouncer.ini'));
  url.hostname = '127.0.0.1';
  url.port = String(port);
  return { folder, bouncer, url: url.href };
}

describe.each([
  { version: '1.24', settings: ['max_prepared_statements = 200'], keepsNames: true },
  { version: '1.24', settings: ['max_prepared_statements = 0'], keepsNames: false },
  { version: '1.18', settings: [], keepsNames: false },
] as const)('PgBouncer $version $settings', ({ version, settings, keepsNames }) => {
  const missing = whyNoPgBouncer(version);
  let bench: Bench;
  let bouncer: RunningPgBouncer;
  let folder: string;
  let url: string;

  beforeAll(async () => {
    if (missing !== undefined) return;
    bench = await makeBench();
    ({ bouncer, folder, url } = await startBouncer(version, bench, settings));
  });

  afterAll(async () => {
    if (missing !== undefined) return;
    await bouncer.stop('SIGKILL');
    await rm(folder, { recursive: true, force: true });
    await bench.drop();
  });

  test.skipIf(missing !== undefined)(
    `every answer is right, and named statements are ${keepsNames ? 'kept' : 'given up'}`,
    async () => {
      await using test = openPools({ poolSize: 8 });
      const upstream = upstreamAt(url);
      // Eight texts over eight connections: without names kept by the pooler nearly every batch meets a server that lacks one.
      const ask = (i: number) => {
        const text = `SELECT name || ' of ${i % 8}' FROM items WHERE id = $1`;
        return firstFields(test.pools, upstream, aRequest(bench.reader, [[text, String((i % 10) + 1)]]));
      };
      const answers: (string | null | undefined)[][] = [];
      for (let start = 0; start < REQUESTS; start += 20) {
        answers.push(...(await Promise.all(Array.from({ length: 20 }, (_, i) => ask(start + i)))));
      }
      expect(answers).toEqual(
        Array.from({ length: REQUESTS }, (_, i) => [`item ${(i % 10) + 1} of ${i % 8}`]),
      );
      expect(test.pools.lease(upstream).pool.naming.useNames()).toBe(keepsNames);
    },
  );
});
