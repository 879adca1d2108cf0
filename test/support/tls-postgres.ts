import { chmod, chown, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { Secret } from '../../gateway/registry/secrets.ts';
import { startEmbeddedPostgres } from '../../launcher/embedded-postgres.ts';
import type { Certified } from './certificates.ts';
import { runSql } from './database.ts';
import { eventually } from './processes.ts';

export interface TlsPostgres {
  readonly port: number;
  /** Superuser DSN of the database `postgres`, without `sslmode`. */
  readonly url: string;
  stop(): Promise<void>;
}

/** A PostgreSQL of its own that offers TLS with this certificate and asks for passwords (SCRAM). */
export async function startTlsPostgres(
  { certificate, key }: Certified,
  password: string,
): Promise<TlsPostgres> {
  const folder = await mkdtemp(join(tmpdir(), 'cascata-tls-'));
  const clusterDir = join(folder, 'cluster');
  const postgres = await startEmbeddedPostgres({
    clusterDir,
    auth: { kind: 'scram', password: new Secret(password) },
    port: 0,
  });
  const stop = async () => {
    await postgres.stop();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const { uid, gid } = await stat(clusterDir);
    for (const [name, text] of [
      ['server.crt', certificate],
      ['server.key', key],
    ] as const) {
      const path = join(clusterDir, name);
      await writeFile(path, text);
      await chmod(path, 0o600);
      await chown(path, uid, gid);
    }
    const url = postgres.url('postgres').reveal();
    await runSql(url, 'ALTER SYSTEM SET ssl = on');
    await runSql(url, 'SELECT pg_reload_conf()');
    await eventually(() => offersTls(url), { what: 'PostgreSQL offers TLS' });
    return { port: postgres.port, url, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function offersTls(url: string): Promise<boolean> {
  const client = new Client({ connectionString: url, ssl: { rejectUnauthorized: false } });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return true;
  } catch {
    return false;
  } finally {
    await client.end().catch(() => undefined);
  }
}
