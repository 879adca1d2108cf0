import { randomInt } from 'node:crypto';
import { Socket } from 'node:net';
import { Client, type ClientConfig } from 'pg';
import type { SqlStatement } from '../platform/sql.ts';
import type { TurnWrites } from '../platform/turn-writes.ts';
import { Batch } from './batch.ts';
import type { BatchWriter } from './batch-writer.ts';
import { sendCancelRequest } from './cancel-request.ts';
import { type PreparedStatement, PreparedStatements, unguessableNames } from './prepared-statements.ts';
import type { RoleSessions } from './role-sessions.ts';
import type { RowSink } from './row-sink.ts';

export interface ConnectionOptions {
  /** Prepared statements kept on the server for each connection. */
  readonly maxPreparedStatements: number;
  /** Only used while a batch is being encoded, so that many connections may share it. */
  readonly writer: BatchWriter;
  /** Sends what was encoded; by default it is sent at once. */
  readonly writes?: TurnWrites | undefined;
  /** Told which roles it has statements for. */
  readonly roleSessions?: RoleSessions<Connection> | undefined;
}

/** What `Connection.submit` sends. */
export interface BatchStatements {
  readonly statements: readonly SqlStatement[];
  /** Rows of statements before this index are dropped. */
  readonly firstWanted: number;
  /** Role that statements from `firstWanted` on run as. */
  readonly role: string;
}

/** Longer texts come of queries in a body and are not worth keeping, here or on the server, for as long as the connection lasts. */
const MAX_NAMED_LENGTH = 65_536;

const NO_STATEMENTS: readonly PreparedStatement[] = [];

/** One session with a server: a `pg` client, the names of its prepared statements, and whether it can still be used. */
export class Connection {
  readonly openedAtMs = Date.now();
  /** Any number, by which roles choose between connections. */
  readonly seed = randomInt(2 ** 32);
  /** Set by the pool. */
  idleSinceMs = 0;
  /** Set by the pool: when it was given out last. */
  takenAtMs = 0;
  /** Set by the pool. */
  isAtRest = false;
  /** Set by the pool: who uses it; `undefined` at rest. */
  owner: string | undefined;
  readonly #client: Client;
  readonly #writer: BatchWriter;
  readonly #writes: TurnWrites | undefined;
  readonly #prepared: PreparedStatements;
  readonly #sessionPrepared: PreparedStatements;
  #isOpen = true;

  /** @throws whatever connecting raises: socket errors, `DatabaseError` for a refused login */
  static async open(config: ClientConfig, options: ConnectionOptions): Promise<Connection> {
    const client = new Client(config);
    // Without a listener a connection that dies at rest would end the process; `end` follows and is what we act on.
    client.on('error', () => {});
    await client.connect();
    return new Connection(client, options);
  }

  /** Takes over a client that is connected and at rest. */
  static over(client: Client, options: ConnectionOptions): Connection {
    return new Connection(client, options);
  }

  private constructor(client: Client, options: ConnectionOptions) {
    this.#client = client;
    this.#writer = options.writer;
    this.#writes = options.writes;
    const { roleSessions } = options;
    this.#prepared = new PreparedStatements(options.maxPreparedStatements, undefined, {
      learnt: (role) => {
        if (this.#isOpen) roleSessions?.learnt(role, this);
      },
      forgotten: (role) => roleSessions?.forgotten(role, this),
    });
    this.#sessionPrepared = new PreparedStatements(options.maxPreparedStatements, unguessableNames);
    client.on('error', () => {
      this.#isOpen = false;
    });
    client.on('end', () => {
      this.#isOpen = false;
    });
  }

  /**
   * Statements that SQL of a batch prepares (`PREPARE`), instead of its messages. Code of a tenant can learn the names of its own, so
   * none may tell another.
   */
  get sessionPrepared(): PreparedStatements {
    return this.#sessionPrepared;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** `I` at rest, `T` in a transaction, `E` in a failed one. Only meaningful when nothing is running. */
  get transactionStatus(): string | null {
    return this.#client.getTransactionStatus();
  }

  /** The session has run statements of the role, and has them prepared. */
  isWarmFor(role: string): boolean {
    return this.#prepared.hasRole(role);
  }

  /** Calls back once when the session ends, whoever ends it. */
  onClose(listener: () => void): void {
    if (this.#isOpen) this.#client.once('end', listener);
    else listener();
  }

  /**
   * Sends a batch; `result` of what it returns settles when the server is ready for the next one. One batch at a time.
   *
   * @param isNamed keep the statements prepared on the server; `false` where a proxy cannot do that
   * @param sink takes the rows of one statement as they come
   */
  submit(batch: BatchStatements, isNamed: boolean, sink?: RowSink): Batch {
    const parsed = isNamed ? this.#encodeNamed(batch) : this.#encodeUnnamed(batch.statements);
    return this.#client.query(
      new Batch({
        bytes: this.#writer.take(),
        firstWanted: batch.firstWanted,
        parsed,
        sink,
        writes: this.#writes,
      }),
    );
  }

  /** Takes back names that a failed batch announced but the server never learnt. */
  forgetUnconfirmed(batch: Batch): void {
    for (const entry of batch.unconfirmed) this.#prepared.forget(entry);
  }

  forgetPrepared(): void {
    this.#prepared.forgetAll();
    this.#sessionPrepared.forgetAll();
  }

  /** Reads no further, so that the server has to wait once the buffers in between are full. */
  pause(): void {
    this.#client.connection.stream.pause();
  }

  resume(): void {
    this.#client.connection.stream.resume();
  }

  /** Cancels what is running; see `sendCancelRequest` for the result. */
  cancel(): Promise<boolean> {
    const client: object = this.#client;
    const processId = 'processID' in client ? client.processID : undefined;
    const secretKey = 'secretKey' in client ? client.secretKey : undefined;
    if (typeof processId !== 'number' || typeof secretKey !== 'number') return Promise.resolve(false);
    // The address rather than the name, which may lead elsewhere by now; a Unix socket has none.
    const { stream } = this.#client.connection;
    const host = (stream instanceof Socket ? stream.remoteAddress : undefined) ?? this.#client.host;
    return sendCancelRequest({ host, port: this.#client.port, processId, secretKey });
  }

  /** Says goodbye; resolves when the socket is closed. What is still running is cut off. */
  async close(): Promise<void> {
    this.#isOpen = false;
    await this.#client.end();
  }

  /** Cuts the socket at once, for a server that no longer answers. */
  destroy(): void {
    this.#isOpen = false;
    this.#client.connection.stream.destroy();
  }

  #encodeNamed({ statements, firstWanted, role }: BatchStatements): readonly PreparedStatement[] {
    const writer = this.#writer;
    let parsed: PreparedStatement[] | undefined;
    // Statements that the last batch pushed out. At the front nothing can fail before them.
    for (const name of this.#prepared.takeEvicted()) writer.closeStatement(name);
    for (const name of this.#sessionPrepared.takeEvicted()) writer.closeStatement(name);
    try {
      for (let i = 0; i < statements.length; i++) {
        const { text, values, encoded } = statements[i]!;
        if (text.length > MAX_NAMED_LENGTH) {
          writer.parse('', text);
          writer.bind('', values);
          writer.execute();
          continue;
        }
        const entry = this.#prepared.entryFor(text, i < firstWanted ? '' : role);
        if (!entry.isSent) {
          entry.isSent = true;
          parsed ??= [];
          parsed.push(entry);
          writer.parse(entry.name, text);
        }
        writer.bind(entry.name, values, encoded);
        writer.execute();
      }
    } catch (error) {
      for (const entry of parsed ?? NO_STATEMENTS) this.#prepared.forget(entry);
      writer.clear();
      throw error;
    }
    writer.sync();
    return parsed ?? NO_STATEMENTS;
  }

  #encodeUnnamed(statements: readonly SqlStatement[]): readonly PreparedStatement[] {
    const writer = this.#writer;
    try {
      for (const { text, values } of statements) {
        writer.parse('', text);
        writer.bind('', values);
        writer.execute();
      }
    } catch (error) {
      writer.clear();
      throw error;
    }
    writer.sync();
    return NO_STATEMENTS;
  }
}
