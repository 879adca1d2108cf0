import pg from 'pg';
import type { PhantomCore } from './phantom-core.ts';

const DATABASE = 'neighbour';
const END = '/tmp/neighbours-end';

/** Others who use a core while something is done to it. */
export interface Neighbours {
  /** Ends them, and says how they fared. */
  end(): Promise<Fared>;
}

export interface Fared {
  /** Transactions that pgbench made, and those that failed. */
  readonly transactions: number;
  readonly failed: number;
  /** Every report of pgbench's that is no plain report. */
  readonly complaints: readonly string[];
  /** What the session that was idle still knows, what the open transaction wrote, and that the long query came to its end. */
  readonly idle: unknown;
  readonly transaction: unknown;
  readonly longQuery: string;
}

/** How those fared who noticed nothing; beside it, they made transactions. */
export const UNDISTURBED: Omit<Fared, 'transactions'> = {
  failed: 0,
  complaints: [],
  idle: 7,
  transaction: 'written before',
  longQuery: 'DO',
};

/**
 * Starts pgbench on tables of its own, writing and reading at a steady pace, a query that runs until it is told to end, a transaction that stays open, and a
 * session that does nothing but keeps a temporary table and a prepared statement.
 */
export async function startNeighbours(core: PhantomCore): Promise<Neighbours> {
  await core.query(`CREATE DATABASE ${DATABASE}`);
  await core.exec('pgbench', '-q', '-i', '-s', '1', '-U', 'postgres', DATABASE);
  await core.query('CREATE TABLE told (what text); CREATE TABLE kept (what text)', DATABASE);
  const [idle, transaction, busy] = await Promise.all([open(core), open(core), open(core)]);
  await idle.query('CREATE TEMPORARY TABLE mine AS SELECT 7 AS number');
  await idle.query('PREPARE ask AS SELECT number FROM mine');
  await transaction.query(`BEGIN; INSERT INTO kept VALUES ('written before')`);
  const longQuery = busy.query(
    'DO $$ BEGIN LOOP PERFORM pg_sleep(0.1); PERFORM sum(bbalance) FROM pgbench_branches; EXIT WHEN EXISTS (SELECT FROM told); END LOOP; END $$',
  );
  const pgbench = core.exec(
    'sh',
    '-c',
    `while [ ! -e ${END} ]; do pgbench -n -c 2 -R 100 -T 1 -U postgres ${DATABASE} 2>&1 || echo 'it failed'; done`,
  );
  // Whoever asks for the end hears of a failure; until then it waits.
  for (const work of [longQuery, pgbench]) work.catch(() => undefined);
  return {
    async end() {
      try {
        await core.exec('touch', END);
        await core.query(`INSERT INTO told VALUES ('enough')`, DATABASE);
        const report = await pgbench;
        const sum = (pattern: RegExp) =>
          [...report.matchAll(pattern)].reduce((all, [, n]) => all + Number(n), 0);
        const ended = await longQuery;
        await transaction.query('COMMIT');
        return {
          transactions: sum(/actually processed: (\d+)/g),
          failed: sum(/failed transactions: (\d+)/g),
          complaints: report.split('\n').filter((line) => /error|fatal|aborted|failed$/i.test(line)),
          idle: (await idle.query('EXECUTE ask')).rows[0]?.number,
          transaction: (await core.query('SELECT what FROM kept', DATABASE))[0]?.what,
          longQuery: ended.command,
        };
      } finally {
        await Promise.all([idle, transaction, busy].map((client) => client.end().catch(() => undefined)));
      }
    },
  };
}

async function open(core: PhantomCore): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: core.url(DATABASE) });
  // A connection that breaks fails the query that uses it next.
  client.on('error', () => undefined);
  await client.connect();
  return client;
}
