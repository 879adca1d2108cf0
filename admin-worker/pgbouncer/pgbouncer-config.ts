import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Pool } from 'pg';
import type { Observe } from '../../gateway/platform/observation.ts';
import { inTransaction } from '../connections.ts';
import { PgBouncerConsole } from './console.ts';
import { PgBouncerPauses } from './pauses.ts';
import { consoleUrl, type PgBouncerOptions, pgBouncerFiles, tenantDatabases } from './pgbouncer-files.ts';
import { writeAtomically } from './write-atomically.ts';

/** Keeps two processes of one control database from writing at once. */
const WRITE_LOCK = 7_305_891_264_403;
/** A PgBouncer that could not be told is told again after this. */
const RETRY_MS = 2_000;
/** What another admin worker has changed is seen after this. */
const REFRESH_MS = 30_000;

/** Keeps `pgbouncer.ini` as the registry says and has PgBouncer read it. */
export class PgBouncerConfig {
  readonly console: PgBouncerConsole;
  readonly pauses: PgBouncerPauses;
  readonly #options: PgBouncerOptions;
  readonly #configDir: string;
  readonly #control: Pool;
  readonly #observe: Observe;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;
  #next: Promise<void> | undefined;
  #isLoaded = false;
  #failure: unknown;
  #isFailureTold = false;
  #isClosed = false;

  constructor(
    options: PgBouncerOptions & { readonly configDir: string },
    { control, observe }: { readonly control: Pool; readonly observe: Observe },
  ) {
    this.#options = options;
    this.#configDir = resolve(options.configDir);
    this.#control = control;
    this.#observe = observe;
    this.console = new PgBouncerConsole(consoleUrl(options));
    this.pauses = new PgBouncerPauses(this.console);
  }

  /**
   * Brings file and PgBouncer up to date with what is committed now. Never rejects: a failure is told to the log and tried again until it works,
   * and the tenants concerned get 503 in the meantime; `warning` says so.
   */
  sync(): Promise<void> {
    if (this.#running === undefined) return this.#start();
    // One that is under way may have read the registry before the change.
    this.#next ??= this.#running.then(() => {
      this.#next = undefined;
      return this.#start();
    });
    return this.#next;
  }

  /** What an operator should know of a tenant with a database of its own that was just made or changed; `undefined` when PgBouncer knows it. */
  get warning(): string | undefined {
    if (this.#isLoaded) return undefined;
    const code = this.#failure instanceof Error && 'code' in this.#failure ? ` (${this.#failure.code})` : '';
    return `PgBouncer could not be told of the project's database${code}. Its requests get 503 until PgBouncer is back; that is tried every ${RETRY_MS / 1000} seconds`;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    await this.pauses.close();
    await this.#next;
    await this.#running;
  }

  #start(): Promise<void> {
    if (this.#isClosed) return Promise.resolve();
    clearTimeout(this.#timer);
    this.#running = this.#update()
      .then(
        () => {
          this.#isFailureTold = false;
        },
        (cause: unknown) => {
          this.#isLoaded = false;
          this.#failure = cause;
          if (!this.#isFailureTold) this.#observe({ kind: 'pgbouncer-configured', databases: 0, cause });
          this.#isFailureTold = true;
        },
      )
      .finally(() => {
        this.#running = undefined;
        if (this.#isClosed) return;
        this.#timer = setTimeout(() => void this.sync(), this.#isLoaded ? REFRESH_MS : RETRY_MS).unref();
      });
    return this.#running;
  }

  async #update(): Promise<void> {
    const databases = await inTransaction(this.#control, async (client) => {
      await client.query('SELECT pg_advisory_xact_lock($1)', [WRITE_LOCK]);
      const found = await tenantDatabases(client, this.#options.settings);
      if (await this.#write(found)) this.#isLoaded = false;
      return found.length;
    });
    if (this.#isLoaded) return;
    await this.console.reload();
    this.#isLoaded = true;
    this.#observe({ kind: 'pgbouncer-configured', databases });
  }

  async #write(databases: Awaited<ReturnType<typeof tenantDatabases>>): Promise<boolean> {
    const { ini, userList } = pgBouncerFiles(this.#options, { configDir: this.#configDir, databases });
    await mkdir(this.#configDir, { recursive: true, mode: 0o755 });
    const isUserListNew = await writeAtomically(join(this.#configDir, 'userlist.txt'), {
      text: userList,
      mode: 0o640,
    });
    const isIniNew = await writeAtomically(join(this.#configDir, 'pgbouncer.ini'), {
      text: ini,
      mode: 0o644,
    });
    return isUserListNew || isIniNew;
  }
}
