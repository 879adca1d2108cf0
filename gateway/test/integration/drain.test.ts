import { expect, test } from 'vitest';
import { ask as askDatabase } from '../../../test/support/replication.ts';
import { planDrain } from '../../drain.ts';
import { installShutdown } from '../../platform/shutdown.ts';
import { startEdge, untilTrue } from './support/edge.ts';
import { RawConnection } from './support/raw-http.ts';

test('what has not ended when the time for draining is over is cancelled in the database, and told', async () => {
  const edge = await startEdge();
  const connection = await RawConnection.open(edge.port);
  await connection.send('GET /rest/v1/rpc/slow?seconds=600.25 HTTP/1.1\r\nHost: acme.localhost\r\n\r\n');
  const url = edge.tenantUrl;
  const sleepers = () =>
    askDatabase(
      url,
      `SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' AND pid <> pg_backend_pid()
       AND wait_event = 'PgSleep'`,
    );
  await untilTrue(async () => (await sleepers()).length === 1);
  const exit = Promise.withResolvers<number>();
  const observed: unknown[] = [];
  const shutdown = installShutdown({
    process: 'gateway',
    ...planDrain(edge.server, edge.services, 200),
    observe: (observation) => {
      if (observation.kind === 'process-failed') observed.push(String((observation.cause as Error).cause));
    },
    host: { on: () => undefined, exit: exit.resolve },
  });
  await shutdown('test');
  expect(await exit.promise).toBe(1);
  expect(observed).toEqual(['Error: 1 transactions were under way and have been cancelled']);
  await connection.untilClosed();
  await untilTrue(async () => (await sleepers()).length === 0);
  await edge.dropDatabases();
});
