import { describe, expect, it } from 'vitest';
import { connectOptions } from '../../../platform/connect-options.ts';
import { readingSocket } from '../../../platform/reading-socket.ts';
import { Secret } from '../../../registry/secrets.ts';

const settings = { applicationName: 'cascata', connectTimeoutMs: 1000 };
const sslOf = (query: string) => connectOptions(new Secret(`postgres://u:p@h/d${query}`), settings).ssl;

describe('connectOptions', () => {
  it('reads sslmode as libpq does', () => {
    expect(sslOf('')).toBe(false);
    expect(sslOf('?sslmode=disable')).toBe(false);
    expect(sslOf('?sslmode=require')).toEqual({ rejectUnauthorized: false });
    expect(sslOf('?sslmode=verify-full')).toEqual({ rejectUnauthorized: true });
    expect(sslOf('?sslmode=verify-ca')).toEqual({
      rejectUnauthorized: true,
      checkServerIdentity: expect.any(Function),
    });
    expect(() => sslOf('?sslmode=maybe')).toThrow('sslmode must be');
  });

  it('leaves the socket to TLS, which reads from it by itself', () => {
    const streamOf = (query: string) =>
      connectOptions(new Secret(`postgres://u:p@h/d${query}`), settings).stream;
    expect(streamOf('')).toBe(readingSocket);
    expect(streamOf('?sslmode=require')).toBeUndefined();
  });

  it('checks by a given authority, of which `require` takes no less than `verify-ca`', () => {
    const withCa = (query: string) =>
      connectOptions(new Secret(`postgres://u:p@h/d${query}`), { ...settings, caCertificate: 'PEM' }).ssl;
    const checkServerIdentity = expect.any(Function);
    expect(withCa('?sslmode=verify-full')).toEqual({ rejectUnauthorized: true, ca: 'PEM' });
    expect(withCa('?sslmode=verify-ca')).toEqual({
      rejectUnauthorized: true,
      ca: 'PEM',
      checkServerIdentity,
    });
    expect(withCa('?sslmode=require')).toEqual({ rejectUnauthorized: true, ca: 'PEM', checkServerIdentity });
    expect(withCa('?sslmode=disable')).toBe(false);
  });

  it('passes on no parameter that names a file', () => {
    const { connectionString } = connectOptions(
      new Secret('postgres://u:p@h/d?sslrootcert=/etc/passwd&sslmode=verify-full&options=-c%20a%3Db'),
      settings,
    );
    expect(connectionString).toBe('postgres://u:p@h/d?options=-c+a%3Db');
  });

  it('refuses what is no DSN without repeating it', () => {
    expect(() => connectOptions(new Secret('hidden'), settings)).toThrow(/^a connection string must be/);
  });
});
