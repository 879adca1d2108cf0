import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runReadOnly } from '../../../execute/run-read-only.ts';
import { runTransaction } from '../../../execute/run-transaction.ts';
import { startPostgresProxy } from './postgres-proxy.ts';
import { aRequest, type Bench, firstFields, makeBench, openPools, upstreamAt } from './support.ts';

let bench: Bench;
beforeAll(async () => {
  bench = await makeBench();
});
afterAll(() => bench.drop());

const SETTINGS_LEFT = [
  'SELECT current_user::text',
  "SELECT current_setting('search_path')",
  "SELECT coalesce(current_setting('request.jwt.claims', true), '')",
  "SELECT current_setting('statement_timeout')",
  "SELECT current_setting('role')",
];

describe('a transaction on the wire', () => {
  it('is one write that ends in one Sync', async () => {
    const proxy = await startPostgresProxy(bench.url);
    await using opened = openPools();
    const upstream = upstreamAt(proxy.url);
    await firstFields(opened.pools, upstream, aRequest(bench.reader, ['SELECT 1']));
    const [messagesBefore, writesBefore] = [proxy.messages.length, proxy.writes];

    const request = aRequest(bench.reader, [['SELECT name FROM items WHERE id = $1', '7']]);
    expect(await firstFields(opened.pools, upstream, request)).toEqual(['item 7']);
    expect(proxy.messages.slice(messagesBefore).join('')).toBe('BEBEPBES');
    expect(proxy.writes - writesBefore).toBe(1);
    expect(await firstFields(opened.pools, upstream, request)).toEqual(['item 7']);
    expect(proxy.messages.slice(messagesBefore).join('')).toBe('BEBEPBESBEBEBES');
    await proxy.close();
  });

  it('keeps a bounded number of statements and closes those pushed out', async () => {
    const proxy = await startPostgresProxy(bench.url);
    await using opened = openPools({ preparedStatementsPerConnection: 4 });
    const upstream = upstreamAt(proxy.url);
    for (let i = 0; i < 10; i++) {
      await firstFields(opened.pools, upstream, aRequest(bench.reader, [`SELECT ${i}`]));
    }
    const [kept] = await firstFields(
      opened.pools,
      upstream,
      aRequest(bench.reader, ['SELECT count(*)::text FROM pg_prepared_statements']),
    );
    expect(kept).toBe('5');
    expect(proxy.messages.filter((type) => type === 'C')).toHaveLength(8);
    await proxy.close();
  });

  it('prepares a statement once for each role', async () => {
    const proxy = await startPostgresProxy(bench.url);
    await using opened = openPools();
    const upstream = upstreamAt(proxy.url);
    for (const role of [bench.reader, bench.writer, bench.reader, bench.writer]) {
      await firstFields(opened.pools, upstream, aRequest(role, ['SELECT name FROM items WHERE id = 1']));
    }
    // RESET ALL, the settings, and the query twice.
    expect(proxy.messages.filter((type) => type === 'P')).toHaveLength(4);
    await proxy.close();
  });

  it('uses unnamed statements where names are switched off', async () => {
    await using opened = openPools({ preparedStatementsPerConnection: 0 });
    const request = aRequest(bench.reader, ['SELECT count(*)::text FROM pg_prepared_statements', 'SELECT 2']);
    expect(await firstFields(opened.pools, upstreamAt(bench.url), request)).toEqual(['0', '2']);
  });

  it('gives every field as the text PostgreSQL wrote, in the order of the statements', async () => {
    await using opened = openPools();
    const { results } = await runTransaction(
      opened.pools,
      upstreamAt(bench.url),
      aRequest(bench.reader, [
        `SELECT 9007199254740993::bigint, NULL::text, true, '{"a": 1}'::json`,
        ['SELECT id FROM items WHERE id <= $1 ORDER BY id', '2'],
        "SELECT 'ü' WHERE false",
      ]),
    );
    expect(results).toEqual([
      { rows: [['9007199254740993', null, 't', '{"a": 1}']], commandTag: 'SELECT 1' },
      { rows: [['1'], ['2']], commandTag: 'SELECT 2' },
      { rows: [], commandTag: 'SELECT 0' },
    ]);
  });

  it('carries values of any size and content', async () => {
    await using opened = openPools();
    const large = '€'.repeat(400_000);
    const request = aRequest(bench.reader, [
      ['SELECT $1::text', large],
      ['SELECT $1::text', `'";\\ $1 ü 𝕏`],
      ['SELECT $1::text', ''],
      ['SELECT $1::text', null],
    ]);
    expect(await firstFields(opened.pools, upstreamAt(bench.url), request)).toEqual([
      large,
      `'";\\ $1 ü 𝕏`,
      '',
      null,
    ]);
  });
});

describe('role and settings', () => {
  it('hold during the transaction and are gone after it', async () => {
    await using opened = openPools();
    const upstream = upstreamAt(bench.url);
    const during = await firstFields(
      opened.pools,
      upstream,
      aRequest(bench.reader, SETTINGS_LEFT, { statementTimeoutMs: 4321 }),
    );
    expect(during).toEqual([bench.reader, 'app', '{"role":"x"}', '4321ms', bench.reader]);
    const after = await firstFields(
      opened.pools,
      upstream,
      aRequest(bench.writer, SETTINGS_LEFT, { variables: [] }),
    );
    expect(after).toEqual([bench.writer, '"$user", public', '', '0', bench.writer]);
  });

  it("a stricter statement_timeout of the role's own stays", async () => {
    await using opened = openPools();
    const timeoutWith = async (own: string): Promise<unknown> => {
      const request = aRequest(bench.reader, ["SELECT current_setting('statement_timeout')"], {
        variables: [['statement_timeout', own]],
        statementTimeoutMs: 5000,
      });
      return (await firstFields(opened.pools, upstreamAt(bench.url), request))[0];
    };
    expect(await timeoutWith('3s')).toBe('3s');
    expect(await timeoutWith('1min')).toBe('5s');
    expect(await timeoutWith('0')).toBe('5s');
  });

  it('what a request sets for the session is gone in the next one', async () => {
    await using opened = openPools();
    const upstream = upstreamAt(bench.url);
    await firstFields(
      opened.pools,
      upstream,
      aRequest(bench.writer, [
        "SELECT set_config('request.jwt.claims', 'left', false)",
        "SELECT set_config('statement_timeout', '1h', false)",
        "SET search_path TO 'somewhere'",
        'SET ROLE NONE',
      ]),
    );
    const after = await firstFields(
      opened.pools,
      upstream,
      aRequest(bench.reader, SETTINGS_LEFT, { variables: [] }),
    );
    expect(after).toEqual([bench.reader, '"$user", public', '', '0', bench.reader]);
  });

  it('transaction defaults left behind neither block nor change the next request', async () => {
    await using opened = openPools();
    const upstream = upstreamAt(bench.url);
    const poison = aRequest(bench.writer, [
      "SELECT set_config('default_transaction_read_only', 'on', false)",
      "SELECT set_config('default_transaction_isolation', 'serializable', false)",
    ]);
    const modes = [
      "SELECT current_setting('transaction_read_only')",
      "SELECT current_setting('transaction_isolation')",
    ];
    await firstFields(opened.pools, upstream, poison);
    expect(await firstFields(opened.pools, upstream, aRequest(bench.writer, modes))).toEqual([
      'off',
      'read committed',
    ]);
    await firstFields(opened.pools, upstream, poison);
    expect(
      await firstFields(opened.pools, upstream, aRequest(bench.reader, modes, { accessMode: 'read only' })),
    ).toEqual(['on', 'read committed']);
    expect(await firstFields(opened.pools, upstream, aRequest(bench.writer, modes))).toEqual([
      'off',
      'read committed',
    ]);
  });

  it('a role the login is no member of is refused before anything else runs', async () => {
    await using opened = openPools();
    await expect(
      runTransaction(opened.pools, upstreamAt(bench.url), aRequest('postgres', ['SELECT 1 / 0'])),
    ).rejects.toMatchObject({ code: '42501' });
  });
});

describe('the end of a transaction', () => {
  const count = (id: string) => ['SELECT count(*)::text FROM items WHERE id = $1', id] as const;

  it('an error undoes everything, and the first one is reported', async () => {
    await using opened = openPools();
    const upstream = upstreamAt(bench.url);
    const failing = aRequest(bench.writer, [
      ['INSERT INTO items VALUES ($1)', '100'],
      'SELECT 1 / 0',
      'SELECT * FROM missing',
    ]);
    await expect(runTransaction(opened.pools, upstream, failing)).rejects.toMatchObject({ code: '22012' });
    await expect(runTransaction(opened.pools, upstream, failing)).rejects.toMatchObject({ code: '22012' });
    expect(await firstFields(opened.pools, upstream, aRequest(bench.writer, [count('100')]))).toEqual(['0']);
  });

  it('an error at the commit is reported and leaves the connection usable', async () => {
    await using opened = openPools();
    const upstream = upstreamAt(bench.url);
    await expect(
      runTransaction(
        opened.pools,
        upstream,
        aRequest(bench.writer, ['INSERT INTO items VALUES (101, NULL, 999)']),
      ),
    ).rejects.toMatchObject({ code: '23503' });
    expect(await firstFields(opened.pools, upstream, aRequest(bench.writer, [count('101')]))).toEqual(['0']);
  });

  it('rollback gives the results, keeps nothing, and checks deferred constraints first', async () => {
    const proxy = await startPostgresProxy(bench.url);
    await using opened = openPools();
    const upstream = upstreamAt(proxy.url);
    const request = aRequest(bench.writer, ["INSERT INTO items VALUES (102, 'x') RETURNING name"], {
      end: 'rollback',
    });
    expect(await firstFields(opened.pools, upstream, request)).toEqual(['x']);
    expect(proxy.messages.filter((type) => type === 'S')).toHaveLength(1);
    expect(await firstFields(opened.pools, upstream, aRequest(bench.writer, [count('102')]))).toEqual(['0']);
    const violating = aRequest(bench.writer, ['INSERT INTO items VALUES (102, NULL, 999)'], {
      end: 'rollback',
    });
    await expect(runTransaction(opened.pools, upstream, violating)).rejects.toMatchObject({ code: '23503' });
    expect(await firstFields(opened.pools, upstream, aRequest(bench.writer, [count('102')]))).toEqual(['0']);
    expect(opened.pools.stats()).toEqual([
      { upstream: 'shared', pooling: 'shared', size: 1, idle: 1, waiting: 0 },
    ]);
    await proxy.close();
  });

  it('an isolation level holds for one transaction, and a failure under it leaves the connection clean', async () => {
    await using opened = openPools();
    const upstream = upstreamAt(bench.url);
    const level = "SELECT current_setting('transaction_isolation')";
    const pid = 'SELECT pg_backend_pid()::text';
    const [given, first] = await firstFields(
      opened.pools,
      upstream,
      aRequest(bench.writer, [level, pid], { isolationLevel: 'serializable' }),
    );
    expect(given).toBe('serializable');
    await expect(
      runTransaction(
        opened.pools,
        upstream,
        aRequest(bench.writer, ['INSERT INTO items VALUES (103)', 'SELECT 1 / 0'], {
          isolationLevel: 'repeatable read',
        }),
      ),
    ).rejects.toMatchObject({ code: '22012' });
    const [after, second, left] = await firstFields(
      opened.pools,
      upstream,
      aRequest(bench.writer, [level, pid, count('103')]),
    );
    expect([after, second, left]).toEqual(['read committed', first, '0']);
  });

  it('read only refuses writes, also by later statements and functions', async () => {
    await using opened = openPools();
    const upstream = upstreamAt(bench.url);
    await bench.admin(`CREATE OR REPLACE FUNCTION app.sneak() RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS
      $$ BEGIN INSERT INTO app.items VALUES (104); END $$`);
    for (const statements of [
      ['SELECT 1', "INSERT INTO items VALUES (104, 'x')"],
      ['SELECT app.sneak()'],
      ["SELECT set_config('transaction_read_only', 'off', true)", 'SELECT app.sneak()'],
    ]) {
      const request = aRequest(bench.writer, statements, { accessMode: 'read only' });
      await expect(runTransaction(opened.pools, upstream, request)).rejects.toMatchObject({
        code: expect.stringMatching(/^(25006|25001)$/),
      });
    }
    expect(await firstFields(opened.pools, upstream, aRequest(bench.writer, [count('104')]))).toEqual(['0']);
  });

  it('runReadOnly gives one result for each statement, with an empty search path', async () => {
    await using opened = openPools();
    const results = await runReadOnly(
      opened.pools,
      upstreamAt(bench.url),
      [
        { text: "SELECT current_setting('search_path')", values: [] },
        { text: 'SELECT count(*) FROM app.items WHERE id <= $1', values: ['3'] },
      ],
      { role: bench.reader },
    );
    expect(results.map(({ rows }) => rows)).toEqual([[['']], [['3']]]);
  });
});

describe('prepared statements that the server lost', () => {
  it('are prepared again after DEALLOCATE ALL, and the request succeeds', async () => {
    await using opened = openPools();
    const upstream = upstreamAt(bench.url);
    const insert = (id: number) => aRequest(bench.writer, [['INSERT INTO items VALUES ($1)', String(id)]]);
    await runTransaction(opened.pools, upstream, insert(200));
    for (let id = 201; id < 210; id++) {
      await runTransaction(opened.pools, upstream, aRequest(bench.reader, ['DEALLOCATE ALL']));
      await runTransaction(opened.pools, upstream, insert(id));
    }
    const [count] = await firstFields(
      opened.pools,
      upstream,
      aRequest(bench.reader, ['SELECT count(*)::text FROM items WHERE id >= 200']),
    );
    expect(count).toBe('10');
  });

  it('are prepared again when a result type has changed', async () => {
    await using opened = openPools();
    const upstream = upstreamAt(bench.url);
    await bench.admin(
      'CREATE TABLE app.shape (a int); INSERT INTO app.shape VALUES (1); GRANT SELECT ON app.shape TO PUBLIC',
    );
    const request = aRequest(bench.reader, ['SELECT * FROM shape']);
    expect(await firstFields(opened.pools, upstream, request)).toEqual(['1']);
    await bench.admin("ALTER TABLE app.shape ALTER a TYPE text USING 'one'");
    expect(await firstFields(opened.pools, upstream, request)).toEqual(['one']);
  });

  it("a tenant's own error of the same code is final, and its statement runs once", async () => {
    await using opened = openPools();
    const upstream = upstreamAt(bench.url);
    await bench.admin(`CREATE SEQUENCE app.calls; GRANT ALL ON SEQUENCE app.calls TO PUBLIC;
      CREATE FUNCTION app.fail() RETURNS void LANGUAGE plpgsql AS $$
      BEGIN PERFORM nextval('app.calls'); RAISE SQLSTATE '26000'; END $$`);
    await expect(
      runTransaction(opened.pools, upstream, aRequest(bench.writer, ['SELECT app.fail()'])),
    ).rejects.toMatchObject({ code: '26000' });
    expect(
      await firstFields(
        opened.pools,
        upstream,
        aRequest(bench.writer, ["SELECT nextval('app.calls')::text"]),
      ),
    ).toEqual(['2']);
  });
});
