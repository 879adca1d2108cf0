import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createTestDatabase, runSql } from '../../../../test/support/database.ts';
import { startGateway } from '../../support/gateway.ts';
import type { Variant } from '../cases/case.ts';
import { CONFORMANCE_JWT_SECRET, type Target } from './exchange.ts';
import { postgrestConfigFile, VARIANTS, variantSettings } from './variants.ts';

/** What the cases run against, for as long as a run lasts. */
export interface TargetSet {
  readonly targets: ReadonlyMap<Variant, Target>;
  close(): Promise<void>;
}

/**
 * How our gateway becomes the role of a request: on a login that is a member of it (`trusted`), through executors with statements that
 * stay prepared (`sealed`), through executors with the text of each statement, and of what comes again what to prepare, as behind PgBouncer (`sealed-pooled`).
 */
export type OwnMode = 'trusted' | 'sealed' | 'sealed-pooled';

const FIXTURE_ROLES = ['conf_anon', 'conf_user', 'conf_admin'];

/** How the environment chooses the target. */
export type TargetChoice =
  /** Our gateway in this process. */
  | { readonly kind: 'own'; readonly mode: OwnMode }
  /** CONFORMANCE_URL: a server somebody else runs on the fixture, with the settings of `main`. */
  | { readonly kind: 'url'; readonly url: string; readonly version: number }
  /** POSTGREST_BIN: that program is started on a fresh fixture, once for each variant. */
  | { readonly kind: 'program'; readonly path: string; readonly version: number };

/**
 * Reads CONFORMANCE_URL and POSTGREST_BIN. The version of a URL's server is CONFORMANCE_VERSION (PostgREST's major version,
 * 16 when absent); a program tells its own.
 */
export function chooseTarget(
  env: Readonly<Record<string, string | undefined>>,
  mode: OwnMode = 'trusted',
): TargetChoice {
  const { CONFORMANCE_URL: url, CONFORMANCE_VERSION: version, POSTGREST_BIN: path } = env;
  if (url) return { kind: 'url', url: url.replace(/\/$/, ''), version: Number(version ?? 16) };
  if (!path) return { kind: 'own', mode };
  const told = spawnSync(path, ['--version'], { encoding: 'utf8' });
  const major = /(\d+)\.\d+/.exec(told.stdout)?.[1];
  if (major === undefined)
    throw new Error(`${path} --version tells no version: ${told.stdout}${told.stderr}`);
  return { kind: 'program', path, version: Number(major) };
}

/** Starts what was chosen. */
export async function openTargets(choice: TargetChoice): Promise<TargetSet> {
  if (choice.kind === 'url') {
    return { targets: new Map([['main', { url: choice.url }]]), close: () => Promise.resolve() };
  }
  const database = await createFixtureDatabase();
  const opened: { target: Target; close(): Promise<void> }[] = [];
  const targets = new Map<Variant, Target>();
  try {
    for (const variant of VARIANTS) {
      const server =
        choice.kind === 'own'
          ? await startOwn(variant, database.loginUrl, choice.mode)
          : await startProgram(choice.path, variant, database.loginUrl);
      opened.push(server);
      targets.set(variant, server.target);
    }
  } catch (error) {
    await closeAll(opened, database);
    throw error;
  }
  return { targets, close: () => closeAll(opened, database) };
}

async function closeAll(
  opened: readonly { close(): Promise<void> }[],
  database: { drop(): Promise<void> },
): Promise<void> {
  await Promise.all(opened.map((server) => server.close()));
  await database.drop();
}

async function createFixtureDatabase(): Promise<{ loginUrl: string; drop(): Promise<void> }> {
  const database = await createTestDatabase();
  for (const file of ['schema', 'routines', 'data', 'media', 'more', 'roles']) {
    await runSql(database.url, await readFile(new URL(`../fixture/${file}.sql`, import.meta.url), 'utf8'));
  }
  const loginUrl = new URL(database.url);
  loginUrl.username = 'conf_login';
  loginUrl.password = 'conf_login';
  return { loginUrl: loginUrl.href, drop: () => database.drop() };
}

async function startOwn(
  variant: Variant,
  databaseUrl: string,
  mode: OwnMode,
): Promise<{ target: Target; close(): Promise<void> }> {
  const gateway = await startGateway({
    databaseUrl,
    ...(mode === 'trusted' ? {} : { sealedRoles: FIXTURE_ROLES, isPooled: mode === 'sealed-pooled' }),
    postgrest: variantSettings(variant),
    jwtSecret: CONFORMANCE_JWT_SECRET,
  });
  return { target: { url: `${gateway.url}/rest/v1`, host: gateway.host }, close: () => gateway.close() };
}

async function startProgram(
  path: string,
  variant: Variant,
  databaseUrl: string,
): Promise<{ target: Target; close(): Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'conformance-'));
  const port = await freePort();
  const file = join(folder, 'postgrest.conf');
  await writeFile(file, postgrestConfigFile(variant, { databaseUrl, port }));
  const child = spawn(path, [file], { stdio: 'ignore' });
  const url = `http://127.0.0.1:${port}`;
  try {
    await answers(url, child);
  } catch (error) {
    await stop(child, folder);
    throw error;
  }
  return { target: { url }, close: () => stop(child, folder) };
}

async function stop(child: ChildProcess, folder: string): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) {
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    await ended;
  }
  await rm(folder, { recursive: true, force: true });
}

/** Waits until the server has its schema cache: before that it answers 503, or not at all. */
async function answers(url: string, child: ChildProcess): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt++) {
    if (child.exitCode !== null) throw new Error(`The server ended with status ${child.exitCode}`);
    const status = await fetch(`${url}/halls`).then(
      (response) => response.body?.cancel().then(() => response.status),
      () => undefined,
    );
    if (status !== undefined && status < 500) return;
    await sleep(100);
  }
  throw new Error(`No answer from ${url}`);
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('No free port');
  return address.port;
}
