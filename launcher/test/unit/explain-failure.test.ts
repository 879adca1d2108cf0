import { expect, test } from 'vitest';
import { explainFailure } from '../../embedded-postgres.ts';
import { parseAccounts } from '../../unprivileged-user.ts';

const explain = (log: string) => explainFailure(log, { clusterDir: '/data/postgres', port: 5432 });

test('a data directory in use names the process that uses it', () => {
  const log = `2026-11-22 02:00:00 UTC [7] FATAL:  lock file "postmaster.pid" already exists
2026-11-22 02:00:00 UTC [7] HINT:  Is another postmaster (PID 4711) running in data directory "/data/postgres"?`;
  expect(explain(log)).toBe(
    'Another server (process 4711) is already running on the data directory /data/postgres: stop it or choose another DATA_DIR.',
  );
});

test('a port in use is named', () => {
  const log =
    '[7] LOG:  could not bind IPv4 address "127.0.0.1": Address already in use\n[7] FATAL:  could not create any TCP/IP sockets';
  expect(explain(log)).toBe('Port 5432 on 127.0.0.1, which PostgreSQL should listen on, is already in use.');
});

test('any other failure is told in the last fatal words of the server', () => {
  const log =
    '[7] LOG:  starting\n[7] FATAL:  could not open file "global/pg_control": No such file or directory\n[7] LOG:  shut down';
  expect(explain(log)).toBe(
    'PostgreSQL did not start on /data/postgres: could not open file "global/pg_control": No such file or directory',
  );
});

test('accounts are read from /etc/passwd, whatever is in the other fields', () => {
  expect(parseAccounts('root:x:0:0::/root:/bin/sh\n\nnobody:x:65534:65533:a:b:c\n')).toEqual([
    { name: 'root', uid: 0, gid: 0 },
    { name: 'nobody', uid: 65534, gid: 65533 },
  ]);
});
