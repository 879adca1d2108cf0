import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { Secret } from '../gateway/registry/secrets.ts';
import { locatePostgresBinaries } from './postgres-binaries.ts';
import { type ClusterAuth, ensureCluster, pathFor, postgresEnvironment } from './postgres-cluster.ts';
import { SetupError } from './setup-error.ts';
import { removeStaleLock } from './stale-lock.ts';
import { chooseUnprivilegedUser } from './unprivileged-user.ts';

const START_TIMEOUT_MS = 30_000;
/** Another process may take a port between our finding it free and PostgreSQL's binding it. */
const PORT_ATTEMPTS = 5;
/** Lines of the server's log that are kept to explain a failed start. */
const KEPT_LOG_LINES = 50;

/**
 * Runs the server as its child and sends it SIGINT ("fast shutdown") once standard input closes. That pipe closes however the
 * process holding its other end goes away, so that even `kill -9` of it leaves no server behind.
 */
const SUPERVISOR_SCRIPT = `
exec 3<&0
"$@" 3<&- </dev/null &
server=$!
{ read -r line; kill -INT "$server"; } <&3 2>/dev/null &
watcher=$!
exec 3<&- </dev/null
wait "$server"
code=$?
kill "$watcher" 2>/dev/null
exit "$code"
`;

export interface EmbeddedPostgresOptions {
  /** Made when absent or empty. */
  readonly clusterDir: string;
  readonly auth: ClusterAuth;
  /** Another PostgreSQL than the npm package for this platform: the directory with `bin/initdb`. */
  readonly installation?: { readonly binaries: string; readonly localeArgs: readonly string[] };
  /** 0 picks a free port. */
  readonly port: number;
  /** Server settings, such as `max_connections`. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Gets what the server writes to its log once it is there. */
  readonly onLogLine?: ((line: string) => void) | undefined;
}

/** A running PostgreSQL, listening on 127.0.0.1 only. */
export interface EmbeddedPostgres {
  readonly port: number;
  /** The superuser's DSN for `database`. */
  url(database: string): Secret;
  /** Fast shutdown: sessions are cut off, everything committed is on disk. Resolves when no process is left. */
  stop(): Promise<void>;
  /** Resolves when the server has ended, whoever ended it, with a sentence about its last words. */
  readonly ended: Promise<string>;
}

/**
 * Starts PostgreSQL from the npm package for this platform and waits until it accepts connections.
 *
 * @throws {SetupError} with a sentence for the operator
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const { clusterDir, auth } = options;
  const user = await chooseUnprivilegedUser(clusterDir);
  const binaries = options.installation?.binaries ?? (await locatePostgresBinaries(user));
  await ensureCluster({ clusterDir, auth, user, ...options.installation, binaries });
  await removeStaleLock(clusterDir);
  const { path, cwd } = await pathFor(clusterDir, user);

  for (let attempt = 1; ; attempt++) {
    const port = options.port === 0 ? await findFreePort() : options.port;
    const settings = {
      ...options.settings,
      port: String(port),
      listen_addresses: '127.0.0.1',
      unix_socket_directories: '',
    };
    const child = spawn(
      '/bin/sh',
      [
        '-c',
        SUPERVISOR_SCRIPT,
        'sh',
        join(binaries, 'bin', 'postgres'),
        '-D',
        path,
        ...settingArguments(settings),
      ],
      {
        cwd,
        env: postgresEnvironment(),
        stdio: ['pipe', 'ignore', 'pipe'],
        // A process group of its own: Ctrl-C in a terminal reaches the launcher alone, which stops the server last.
        detached: true,
        ...(user === undefined ? {} : { uid: user.uid, gid: user.gid }),
      },
    );
    const failure = await waitUntilReady(child);
    if (failure === undefined) return runningServer(child, { port, auth, onLogLine: options.onLogLine });
    const isPortTaken = failure.includes('Address already in use');
    if (!isPortTaken || options.port !== 0 || attempt === PORT_ATTEMPTS) {
      throw new SetupError(explainFailure(failure, { clusterDir, port }));
    }
  }
}

type ServerProcess = ChildProcessByStdio<Writable, null, Readable>;

/** `undefined` once the server accepts connections, else its log. */
async function waitUntilReady(child: ServerProcess): Promise<string | undefined> {
  const log = new LogTail(child.stderr);
  return await new Promise((resolve) => {
    const timer = setTimeout(() => {
      child.stdin.end();
      finish(`${log.text}\nFATAL:  no answer within ${START_TIMEOUT_MS / 1000} seconds`);
    }, START_TIMEOUT_MS);
    const finish = (failure: string | undefined) => {
      clearTimeout(timer);
      log.onLine = undefined;
      resolve(failure);
    };
    log.onLine = (line) => {
      if (/database system is ready to accept (read-only )?connections/.test(line)) finish(undefined);
    };
    child.stdin.on('error', () => {}); // The pipe of a server that is already gone; `close` tells the rest.
    child.once('error', (error) => finish(`FATAL:  ${error.message}`));
    child.once('close', () => finish(log.text));
  });
}

function runningServer(
  child: ServerProcess,
  { port, auth, onLogLine }: Pick<EmbeddedPostgresOptions, 'port' | 'auth' | 'onLogLine'>,
): EmbeddedPostgres {
  const log = new LogTail(child.stderr);
  log.onLine = onLogLine;
  const ended = new Promise<string>((resolve) => {
    child.once('close', () => resolve(lastFatalLine(log.text) ?? 'PostgreSQL ended'));
  });
  const password = auth.kind === 'scram' ? `:${encodeURIComponent(auth.password.reveal())}` : '';
  return {
    port,
    url: (database) =>
      new Secret(`postgres://postgres${password}@127.0.0.1:${port}/${encodeURIComponent(database)}`),
    async stop() {
      child.stdin.end();
      await ended;
    },
    ended,
  };
}

/** The last lines of a stream, bounded. */
class LogTail {
  onLine: ((line: string) => void) | undefined;
  readonly #lines: string[] = [];
  #partial = '';

  constructor(stream: Readable) {
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      const lines = (this.#partial + chunk).split('\n');
      this.#partial = lines.pop() ?? '';
      for (const line of lines) {
        this.#lines.push(line);
        if (this.#lines.length > KEPT_LOG_LINES) this.#lines.shift();
        this.onLine?.(line);
      }
    });
  }

  get text(): string {
    return [...this.#lines, this.#partial].join('\n');
  }
}

/** One sentence for what a server that did not start wrote to its log. */
export function explainFailure(
  log: string,
  { clusterDir, port }: { clusterDir: string; port: number },
): string {
  if (log.includes('"postmaster.pid" already exists') || log.includes('pre-existing shared memory block')) {
    const pid = /\(PID (\d+)\)/.exec(log)?.[1];
    const by = pid === undefined ? '' : ` (process ${pid})`;
    return `Another server${by} is already running on the data directory ${clusterDir}: stop it or choose another DATA_DIR.`;
  }
  if (log.includes('Address already in use')) {
    return `Port ${port} on 127.0.0.1, which PostgreSQL should listen on, is already in use.`;
  }
  return `PostgreSQL did not start on ${clusterDir}: ${lastFatalLine(log) ?? log.trim()}`;
}

function lastFatalLine(log: string): string | undefined {
  const line = log.split('\n').findLast((text) => /\b(FATAL|PANIC):/.test(text));
  return line?.replace(/^.*\b(?:FATAL|PANIC):\s*/, '');
}

function settingArguments(settings: Readonly<Record<string, string>>): string[] {
  return Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
}

async function findFreePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new SetupError('No free port on 127.0.0.1.');
  return address.port;
}
