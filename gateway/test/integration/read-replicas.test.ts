import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Replication, runOn, startReplication } from '../../../test/support/replication.ts';
import { ask } from './support/ask.ts';
import { startBadServer } from './support/bad-server.ts';
import { type Edge, type EdgeTenant, signFor, startEdge, TENANT_SQL, untilTrue } from './support/edge.ts';
import { placeEdgeTenant } from './support/edge-tenants.ts';

let edge: Edge;
let cluster: Replication;
let ann: Record<string, string>;
let bob: Record<string, string>;

const SQL = `${TENANT_SQL}
  CREATE FUNCTION edge_acme.place() RETURNS text LANGUAGE sql STABLE AS
    $$ SELECT CASE WHEN pg_is_in_recovery() THEN current_setting('port') ELSE 'primary' END $$;
  CREATE FUNCTION edge_acme.slow_place(seconds float8) RETURNS text LANGUAGE sql STABLE AS
    $$ SELECT edge_acme.place() FROM pg_sleep(seconds), (SELECT count(*) FROM edge_acme.notes) n $$;
  CREATE FUNCTION edge_acme.standby_only(seconds float8) RETURNS text LANGUAGE plpgsql STABLE AS
    $$ BEGIN
      PERFORM count(*) FROM edge_acme.notes;
      IF pg_is_in_recovery() THEN PERFORM pg_sleep(seconds); END IF;
      RETURN edge_acme.place();
    END $$;`;

beforeAll(async () => {
  cluster = await startReplication({
    replicas: 2,
    sql: SQL,
    replicaSettings: { max_standby_streaming_delay: '0' },
  });
  edge = await startEdge();
  await place(
    edge.acme,
    cluster.replicas.map(({ url }) => url()),
  );
  ann = { authorization: `Bearer ${await signFor(edge.acme, { role: 'authenticated', sub: 'ann' })}` };
  bob = { authorization: `Bearer ${await signFor(edge.acme, { role: 'authenticated', sub: 'bob' })}` };
});
afterAll(async () => {
  await edge?.close();
  await cluster?.close();
});

const place = (tenant: EdgeTenant, replicaUrls: readonly string[], limits: Record<string, number> = {}) =>
  placeEdgeTenant(edge, tenant, { url: cluster.primary.url(), replicaUrls, limits });

const target = () => ({ url: edge.url, host: 'acme.localhost' });
const places = () => cluster.replicas.map(({ port }) => String(port));

/** Port of the replica that answered, or `primary`. */
async function readFrom(headers: Record<string, string> = {}): Promise<unknown> {
  return (await ask(target(), '/rest/v1/rpc/place', { headers })).json;
}

const onReplica = async (headers: Record<string, string> = {}) => (await readFrom(headers)) !== 'primary';

let nextId = 1000;

async function write(headers: Record<string, string>): Promise<{ id: number; lsn: string }> {
  const id = nextId++;
  const answer = await ask(target(), '/rest/v1/notes', {
    method: 'POST',
    headers: { ...headers, 'content-type': 'application/json' },
    body: JSON.stringify({ id, body: 'new' }),
  });
  expect(answer.status).toBe(201);
  return { id, lsn: String(answer.headers['x-cascata-consistency']) };
}

async function sees(id: number, headers: Record<string, string>): Promise<boolean> {
  const { status, json } = await ask(target(), `/rest/v1/notes?id=eq.${id}&select=id`, { headers });
  expect(status).toBe(200);
  return Array.isArray(json) && json.length === 1;
}

const pauseReplay = (index: number) => runOn(cluster.replicas[index]!.url(), 'SELECT pg_wal_replay_pause()');
const resumeReplay = (index: number) =>
  runOn(cluster.replicas[index]!.url(), 'SELECT pg_wal_replay_resume()');

beforeEach(async () => {
  for (const replica of cluster.replicas) await replica.start();
  await Promise.all([resumeReplay(0), resumeReplay(1)]);
  await untilTrue(() => onReplica());
});

describe('where transactions run', () => {
  test('reads run on a replica, writes and volatile functions on the primary', async () => {
    expect(places()).toContain(await readFrom());
    const { id } = await write(ann);
    expect(await sees(id, { ...ann, 'x-cascata-consistency': 'primary' })).toBe(true);
  });

  test('reads under way are spread over the replicas', async () => {
    const answers = await Promise.all(
      Array.from({ length: 4 }, () => ask(target(), '/rest/v1/rpc/slow_place?seconds=0.3')),
    );
    expect(new Set(answers.map(({ json }) => json))).toEqual(new Set(places()));
  });

  test('a bound of 0 means the primary only, and takes effect without a restart', async () => {
    await edge.control(`UPDATE control.tenants SET max_replica_lag_ms = 0 WHERE id = 'acme'`);
    await untilTrue(async () => !(await onReplica()));
    await edge.control(`UPDATE control.tenants SET max_replica_lag_ms = NULL WHERE id = 'acme'`);
    await untilTrue(() => onReplica());
  });
});

describe('read your writes', () => {
  test('a client that has written reads it at once, again and again, while another goes on reading from replicas', async () => {
    for (let i = 0; i < 10; i++) {
      const { id } = await write(ann);
      expect(await sees(id, ann)).toBe(true);
    }
    await untilTrue(() => onReplica(ann));
  });

  test('while replicas do not replay, the writer is answered by the primary, others by replicas, and afterwards it returns', async () => {
    await Promise.all([pauseReplay(0), pauseReplay(1)]);
    const { id } = await write(ann);
    expect(await sees(id, ann)).toBe(true);
    expect(await readFrom(ann)).toBe('primary');
    expect(places()).toContain(await readFrom(bob));
    expect(await sees(id, bob)).toBe(false);
    await resumeReplay(1);
    await untilTrue(async () => (await readFrom(ann)) === places()[1]);
    expect(await sees(id, ann)).toBe(true);
  });

  test('the place in the log that a write answers with makes any client’s read as fresh', async () => {
    await Promise.all([pauseReplay(0), pauseReplay(1)]);
    const { id, lsn } = await write(ann);
    expect(lsn).toMatch(/^[0-9A-F]+\/[0-9A-F]+$/);
    expect(await sees(id, bob)).toBe(false);
    const asked = { ...bob, 'x-cascata-consistency': lsn };
    expect(await readFrom(asked)).toBe('primary');
    expect(await sees(id, asked)).toBe(true);
    await resumeReplay(0);
    await untilTrue(async () => (await readFrom(asked)) === places()[0]);
    expect(await sees(id, asked)).toBe(true);
  });

  test('the header may ask for the primary, and says so when it is nonsense', async () => {
    expect(await readFrom({ 'x-cascata-consistency': 'primary' })).toBe('primary');
    const wrong = await ask(target(), '/rest/v1/notes', { headers: { 'x-cascata-consistency': 'fresh' } });
    expect(wrong).toMatchObject({ status: 400, json: { code: 'GW108' } });
    // Where there are no replicas, a client should not learn of it only once there are.
    const without = { url: edge.url, host: 'globex.localhost' };
    for (const [value, expected] of [
      ['fresh', 400],
      ['0/16B3748', 200],
      ['primary', 200],
    ] as const) {
      const { status } = await ask(without, '/rest/v1/notes', {
        headers: { 'x-cascata-consistency': value },
      });
      expect([value, status]).toEqual([value, expected]);
    }
  });

  test('browsers may read the header', async () => {
    const { headers } = await ask(target(), '/rest/v1/notes', {
      headers: { origin: 'https://app.example.com' },
    });
    expect(headers['access-control-expose-headers']).toContain('X-Cascata-Consistency');
  });

  test('a write that is refused tells no place and ties nobody to the primary', async () => {
    await untilTrue(() => onReplica(bob));
    const refused = await ask(target(), '/rest/v1/notes', {
      method: 'POST',
      headers: { ...bob, 'content-type': 'application/json' },
      body: JSON.stringify({ id: 1, body: 'twice' }),
    });
    expect(refused).toMatchObject({ status: 409, json: { code: '23505' } });
    expect(refused.headers['x-cascata-consistency']).toBeUndefined();
    expect(await onReplica(bob)).toBe(true);
  });
});

describe('faults', () => {
  test('a replica that lags beyond the tenant’s bound gets no reads until it has caught up', async () => {
    await edge.control(`UPDATE control.tenants SET max_replica_lag_ms = 800 WHERE id = 'acme'`);
    await untilTrue(() => onReplica());
    await Promise.all([pauseReplay(0), pauseReplay(1)]);
    const { id } = await write(ann);
    await untilTrue(async () => (await readFrom(bob)) === 'primary');
    expect(await sees(id, bob)).toBe(true);
    await resumeReplay(0);
    await untilTrue(async () => (await readFrom(bob)) === places()[0]);
    expect(await sees(id, bob)).toBe(true);
    await edge.control(`UPDATE control.tenants SET max_replica_lag_ms = NULL WHERE id = 'acme'`);
  });

  test('replicas that stop make no read fail, and are used again when they are back', async () => {
    const outcomes: unknown[] = [];
    let isRunning = true;
    const reading = (async () => {
      while (isRunning) {
        const { status, json } = await ask(target(), '/rest/v1/rpc/slow_place?seconds=0.02');
        outcomes.push(status === 200 ? json : { status, json });
      }
    })();
    await untilTrue(() => outcomes.length > 5);
    for (const replica of cluster.replicas) await replica.stop();
    await untilTrue(() => outcomes.at(-1) === 'primary');
    for (const replica of cluster.replicas) await replica.start();
    await untilTrue(() => places().includes(String(outcomes.at(-1))));
    isRunning = false;
    await reading;
    expect(outcomes.filter((outcome) => typeof outcome !== 'string')).toEqual([]);
  });

  test('a replica that goes silent makes no read fail and keeps none for long, whatever it was doing, and is used again once it is back', async () => {
    const [silent, sound] = await Promise.all(
      cluster.replicas.map(({ port }) => startBadServer({ port }, 'none')),
    );
    const through = [silent!, sound!].map(({ port }) => `postgres://postgres@127.0.0.1:${port}/postgres`);
    try {
      await place(edge.acme, through.slice(0, 1), { max_replica_lag_ms: 2_000 });
      await untilTrue(() => onReplica());
      const read = async () => {
        const { status, json } = await ask(target(), '/rest/v1/rpc/slow_place?seconds=0.2');
        return status === 200 ? json : { status, json };
      };
      // More than it has connections for.
      const reading = Array.from({ length: 12 }, read);
      await sleep(50);
      silent!.freeze();
      const late = Array.from({ length: 12 }, read);
      const lines = ask(target(), '/rest/v1/notes?select=id&order=id&limit=2', {
        headers: { accept: 'application/x-ndjson' },
      });
      // In the first moment an answer may still have been on its way.
      for (const place of await Promise.all(reading)) expect(['primary', places()[0]]).toContain(place);
      expect(new Set(await Promise.all(late))).toEqual(new Set(['primary']));
      expect(await lines).toMatchObject({ status: 200, text: '{"id":1}\n{"id":2}\n' });
      await silent!.become('none');
      await untilTrue(() => onReplica());

      // Another one goes on being used meanwhile.
      await place(edge.acme, through, { max_replica_lag_ms: 1_000 });
      await untilTrue(async () => new Set(await Promise.all([read(), read()])).size === 2 && onReplica());
      silent!.freeze();
      const found = await Promise.all(Array.from({ length: 6 }, read));
      for (const place of found) expect(['primary', places()[1]]).toContain(place);
      await untilTrue(async () => (await readFrom()) === places()[1]);
      for (let i = 0; i < 25; i++) {
        expect(await readFrom()).toBe(places()[1]);
        await sleep(60);
      }
    } finally {
      await place(
        edge.acme,
        cluster.replicas.map(({ url }) => url()),
      );
      await edge.control(`UPDATE control.tenants SET max_replica_lag_ms = NULL WHERE id = 'acme'`);
      await Promise.all([silent!.close(), sound!.close()]);
    }
  });

  test('a read that a replica cancels for a conflict with recovery is answered by the primary', async () => {
    const conflicts = async () => {
      const counts = await Promise.all(
        cluster.replicas.map(async (replica) => {
          const client = new Client({ connectionString: replica.url() });
          await client.connect();
          const { rows } = await client.query<{ n: string }>(
            'SELECT sum(confl_snapshot)::text AS n FROM pg_stat_database_conflicts',
          );
          await client.end();
          return Number(rows[0]?.n);
        }),
      );
      return counts.reduce((sum, count) => sum + count, 0);
    };
    await runOn(
      cluster.primary.url(),
      `INSERT INTO edge_acme.notes SELECT i, 'x' FROM generate_series(5000, 5100) i`,
    );
    const before = await conflicts();
    const reading = ask(target(), '/rest/v1/rpc/standby_only?seconds=20', { headers: bob });
    await sleep(300);
    await runOn(cluster.primary.url(), 'DELETE FROM edge_acme.notes WHERE id >= 5000');
    await runOn(cluster.primary.url(), 'VACUUM edge_acme.notes');
    expect(await reading).toMatchObject({ status: 200, json: 'primary' });
    await untilTrue(async () => (await conflicts()) > before);
    expect(await onReplica()).toBe(true);
  });

  test('a session that a replica ends makes the primary answer', async () => {
    const reading = ask(target(), '/rest/v1/rpc/standby_only?seconds=20', { headers: bob });
    await sleep(300);
    for (const replica of cluster.replicas) {
      await runOn(
        replica.url(),
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%standby_only%' AND pid <> pg_backend_pid()`,
      );
    }
    expect(await reading).toMatchObject({ status: 200, json: 'primary' });
  });

  test('what a replica does not have yet is asked of the primary', async () => {
    await Promise.all([pauseReplay(0), pauseReplay(1)]);
    await runOn(
      cluster.primary.url(),
      `CREATE TABLE edge_acme.fresh (id int); GRANT ALL ON edge_acme.fresh TO edge_acme_anon; INSERT INTO edge_acme.fresh VALUES (7)`,
    );
    await sleep(2_100); // A picture is read again for a name that is missing at most every two seconds.
    expect(await ask(target(), '/rest/v1/fresh')).toMatchObject({ status: 200, json: [{ id: 7 }] });
    await runOn(cluster.primary.url(), 'DROP TABLE edge_acme.fresh');
  });

  test('an address that leads to another cluster, or to no replica, gets no reads', async () => {
    const other = await startReplication({ replicas: 1, sql: SQL });
    try {
      for (const url of [other.replicas[0]!.url(), cluster.primary.url()]) {
        const seen = edge.observations.length;
        await place(edge.acme, [url]);
        await untilTrue(async () => {
          // Until the gateway has heard of the new address, its own replicas may answer.
          expect(['primary', ...places()]).toContain(await readFrom(bob));
          return edge.observations
            .slice(seen)
            .some(
              (o) => o.kind === 'upstream-failed' && /another cluster|not a replica/.test(String(o.cause)),
            );
        });
        expect(await readFrom(bob)).toBe('primary');
      }
    } finally {
      await place(
        edge.acme,
        cluster.replicas.map((replica) => replica.url()),
      );
      await other.close();
    }
  });
});
