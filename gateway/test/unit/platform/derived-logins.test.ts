import { expect, test } from 'vitest';
import {
  controlUrl,
  LOGINS,
  localDatabaseUrl,
  loginPassword,
  loginUrl,
  sharedUrl,
} from '../../../platform/derived-logins.ts';
import { Secret } from '../../../registry/secrets.ts';

const masterKey = new Secret('k'.repeat(32));
const controlDatabaseUrl = new Secret('postgres://root:pw@db.test:5432/control?sslmode=require');

test('a login has the same password for the same master key, and another for any other login or key', () => {
  const password = loginPassword(masterKey, LOGINS.gateway).reveal();
  expect(password).toMatch(/^[\w-]{43}$/);
  expect(loginPassword(masterKey, LOGINS.gateway).reveal()).toBe(password);
  expect(loginPassword(masterKey, LOGINS.trusted).reveal()).not.toBe(password);
  expect(loginPassword(new Secret('K'.repeat(32)), LOGINS.gateway).reveal()).not.toBe(password);
});

test('a login URL keeps host, port and parameters and replaces user, password and database', () => {
  const url = loginUrl(controlDatabaseUrl, {
    login: 'a b',
    password: new Secret('p@ss/word'),
    database: 'x y',
  });
  expect(url.reveal()).toBe('postgres://a%20b:p%40ss%2Fword@db.test:5432/x%20y?sslmode=require');
});

test('shared traffic goes to cascata_shared on the control cluster, or through PgBouncer where there is one', () => {
  const password = loginPassword(masterKey, LOGINS.trusted).reveal();
  const base = { masterKey, controlDatabaseUrl };
  const through = (url: string) =>
    sharedUrl({ ...base, pgbouncerUrl: new Secret(url) }, LOGINS.trusted).reveal();
  expect(sharedUrl({ ...base, pgbouncerUrl: undefined }, LOGINS.trusted).reveal()).toBe(
    `postgres://cascata_trusted:${password}@db.test:5432/cascata_shared?sslmode=require`,
  );
  expect(through('postgres://pool.test:6432')).toBe(
    `postgres://cascata_trusted:${password}@pool.test:6432/cascata_shared`,
  );
  expect(through('postgres://pool.test:6432/alias')).toBe(
    `postgres://cascata_trusted:${password}@pool.test:6432/alias`,
  );
});

test('the registry is reached directly, PgBouncer or not', () => {
  const pgbouncerUrl = new Secret('postgres://pool.test:6432');
  const password = loginPassword(masterKey, LOGINS.gateway).reveal();
  expect(controlUrl({ masterKey, controlDatabaseUrl, pgbouncerUrl }, LOGINS.gateway).reveal()).toBe(
    `postgres://cascata_gateway:${password}@db.test:5432/control?sslmode=require`,
  );
});

test("a tenant's own database is reached through PgBouncer by its own name", () => {
  const pgbouncerUrl = new Secret('postgres://pool.test:6432/alias');
  const options = { login: 'acme_login', database: 'tenant_acme' };
  const password = loginPassword(masterKey, 'acme_login').reveal();
  expect(localDatabaseUrl({ masterKey, controlDatabaseUrl, pgbouncerUrl }, options).reveal()).toBe(
    `postgres://acme_login:${password}@pool.test:6432/tenant_acme`,
  );
});
