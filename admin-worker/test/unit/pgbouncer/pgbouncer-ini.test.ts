import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { defaultSettings } from '../../../../gateway/platform/settings.ts';
import { Secret } from '../../../../gateway/registry/secrets.ts';
import { pgBouncerFiles } from '../../../pgbouncer/pgbouncer-files.ts';
import { renderUserList } from '../../../pgbouncer/pgbouncer-ini.ts';

const options = {
  settings: { ...defaultSettings().pgbouncer, listenHost: '0.0.0.0', runDir: '/run/pgbouncer' },
  pgbouncerUrl: new Secret('postgres://pgbouncer:6432/cascata_shared'),
  controlDatabaseUrl: new Secret('postgres://postgres:superuser-password@db:5432/cascata_control'),
  masterKey: new Secret('k'.repeat(32)),
  sharedDatabase: 'cascata_shared',
};
const acme = { name: 'cascata_t_acme', target: 'cascata_t_acme', poolSize: 5 };
const folder = { configDir: '/pgbouncer-config', databases: [acme] };

test('pgbouncer/pgbouncer.ini shows what is written for the Compose stack and one tenant', async () => {
  const shown = await readFile(new URL('../../../../pgbouncer/pgbouncer.ini', import.meta.url), 'utf8');
  expect(pgBouncerFiles(options, folder).ini).toBe(shown);
});

test('no password is in the file that others may read', () => {
  const { ini, userList } = pgBouncerFiles(options, folder);
  expect(ini).not.toContain('superuser-password');
  expect(userList).not.toContain('superuser-password');
  for (const [, password = ''] of userList.matchAll(/^"[^"]+" "([^"]+)"$/gm))
    expect(ini).not.toContain(password);
});

test('PGBOUNCER_URL may give the shared database another name; sslmode is PgBouncer’s way to PostgreSQL too', () => {
  const { ini } = pgBouncerFiles(
    {
      ...options,
      pgbouncerUrl: new Secret('postgres://pool:7000/pooled'),
      controlDatabaseUrl: new Secret('postgres://u:p@[::1]/control?sslmode=require'),
    },
    folder,
  );
  expect(ini).toContain('\npooled = host=::1 port=5432 dbname=cascata_shared\n');
  expect(ini).toContain('\nlisten_port = 7000\n');
  expect(ini).toContain('\nserver_tls_sslmode = require\n');
});

test('quotes in a password end no entry of the user list', () => {
  expect(renderUserList([{ login: 'a', password: 'x" "y' }])).toBe('"a" "x"" ""y"\n');
});
