import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase, runSql, type TestDatabase } from '../../../test/support/database.ts';
import {
  freePort,
  type RunningPgBouncer,
  startPgBouncer,
  whyNoPgBouncer,
} from '../../../test/support/pgbouncer.ts';
import { eventually } from '../../../test/support/processes.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { ask } from './support/ask.ts';

// With statements under names, and without.
describe.each(['1.24', '1.18'] as const)('behind PgBouncer %s in transaction mode', (version) => {
  const reason = whyNoPgBouncer(version);
  describe.skipIf(reason !== undefined)(reason ?? 'streams and batches', () => {
    let database: TestDatabase;
    let gateway: TestGateway;
    let bouncer: RunningPgBouncer;
    let directory: string;

    beforeAll(async () => {
      database = await createTestDatabase({
        sql: `CREATE VIEW big AS SELECT i AS id, repeat('x', 1000) AS body FROM generate_series(1, 20000) i;
            CREATE TABLE notes (id int PRIMARY KEY)`,
      });
      const target = new URL(database.url);
      const port = await freePort();
      directory = await mkdtemp(join(tmpdir(), 'cascata-bouncer-'));
      await chmod(directory, 0o755);
      const ini = join(directory, 'pgbouncer.ini');
      const password = target.password === '' ? '' : ` password=${decodeURIComponent(target.password)}`;
      await writeFile(
        ini,
        `[databases]
${database.name} = host=${target.hostname} port=${target.port} user=${target.username}${password}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 2
`,
      );
      bouncer = await startPgBouncer(version, ini);
      const url = `postgres://postgres@127.0.0.1:${port}/${database.name}`;
      const answers = (): Promise<boolean> =>
        runSql(url, 'SELECT 1').then(
          () => true,
          () => false,
        );
      await eventually(answers, { what: 'a PgBouncer that answers' });
      gateway = await startGateway({
        databaseUrl: url,
        postgrest: { 'db-anon-role': target.username, 'cascata-batch-max-requests': 10 },
        jwtSecret: 'secret-of-the-bouncer-with-32-characters',
      });
    });

    afterAll(async () => {
      await gateway?.close();
      await bouncer?.stop('SIGKILL');
      await database?.drop();
      if (directory !== undefined) await rm(directory, { recursive: true });
    });

    it('streams come whole, again and again', async () => {
      for (let turn = 0; turn < 3; turn++) {
        const { text } = await ask(gateway, '/rest/v1/big', { headers: { accept: 'application/x-ndjson' } });
        expect([text.length > 20_000_000, text.trimEnd().split('\n').length]).toEqual([true, 20_000]);
      }
    });

    it('batches are all or nothing', async () => {
      const send = (ids: readonly number[]) =>
        ask(gateway, '/rest/v1/-/batch', {
          method: 'POST',
          body: JSON.stringify(ids.map((id) => ({ method: 'POST', path: '/notes', body: { id } }))),
        });
      for (let turn = 0; turn < 3; turn++) {
        expect((await send([turn * 10, turn * 10 + 1])).json).toMatchObject([
          { status: 201 },
          { status: 201 },
        ]);
        expect(await send([turn * 10 + 2, turn * 10])).toMatchObject({ status: 409, json: { index: 1 } });
      }
      expect((await ask(gateway, '/rest/v1/notes?order=id')).json).toEqual(
        [0, 1, 10, 11, 20, 21].map((id) => ({ id })),
      );
    });
  });
});
