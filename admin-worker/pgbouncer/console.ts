import pg from 'pg';
import { quoteIdent } from '../../gateway/platform/sql.ts';
import type { Secret } from '../../gateway/registry/secrets.ts';

/** What `SHOW` knows that we ask for. */
export type ConsoleView = 'databases' | 'pools' | 'stats' | 'version' | 'config' | 'clients' | 'servers';

export type ConsoleRow = Readonly<Record<string, unknown>>;

const CONNECT_TIMEOUT_MS = 2_000;
const COMMAND_TIMEOUT_MS = 5_000;

/** PgBouncer's admin console. Each command takes a connection of its own: they are rare, and PgBouncer may restart in between. */
export class PgBouncerConsole {
  readonly #url: Secret;

  /** @param url DSN of the console: a login of `admin_users`, the database `pgbouncer` */
  constructor(url: Secret) {
    this.#url = url;
  }

  /** Reads the configuration again. Clients keep their connections. @throws when it cannot be reached or the files cannot be read */
  async reload(): Promise<void> {
    await this.#run('RELOAD', COMMAND_TIMEOUT_MS);
  }

  /**
   * Lets the transactions of one database, or of all, end and holds all that follow; resolves when none is running. Clients wait (for PgBouncer's `query_wait_timeout`
   * at most), so call `resume` soon. When it does not come to rest in time the database is resumed.
   *
   * @param timeoutMs for the transactions that are running
   * @throws {Error} when they do not end in time, or there is no such database
   */
  async pause(database: string | undefined, timeoutMs: number): Promise<void> {
    try {
      await this.#run(commandFor('PAUSE', database), timeoutMs);
    } catch (error) {
      // The first failure is the one to tell; PgBouncer that is gone holds nobody.
      await this.resume(database).catch(() => undefined);
      throw error;
    }
  }

  /** Lets the requests of a database, or of all, go on, on new connections to wherever the configuration says by now. */
  async resume(database: string | undefined): Promise<void> {
    await this.#run(commandFor('RESUME', database), COMMAND_TIMEOUT_MS);
  }

  /** Rows of one of PgBouncer's own tables; of `databases` and `pools` those of one database when it is named. */
  async show(view: ConsoleView, database?: string): Promise<readonly ConsoleRow[]> {
    const rows = await this.#run(`SHOW ${view.toUpperCase()}`, COMMAND_TIMEOUT_MS);
    if (database === undefined) return rows;
    return rows.filter((row) => (view === 'databases' ? row.name : row.database) === database);
  }

  async #run(command: string, timeoutMs: number): Promise<readonly ConsoleRow[]> {
    const client = new pg.Client({
      connectionString: this.#url.reveal(),
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      query_timeout: timeoutMs,
      application_name: 'cascata-admin',
    });
    client.on('error', () => undefined); // Told by the query that waits.
    try {
      await client.connect();
      const { rows } = await client.query<ConsoleRow>(command);
      return rows;
    } finally {
      // Not `end`, which waits for a PAUSE that goes on; without its client PgBouncer forgets about it.
      client.connection.stream.destroy();
    }
  }
}

function commandFor(command: 'PAUSE' | 'RESUME', database: string | undefined): string {
  return database === undefined ? command : `${command} ${quoteIdent(database)}`;
}
