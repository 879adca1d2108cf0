import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  ask as askDatabase,
  type RestartableServer,
  runOn,
  startServer,
} from '../../../test/support/replication.ts';
import { ask } from './support/ask.ts';
import { type Edge, startEdge, TENANT_SQL, untilTrue } from './support/edge.ts';
import { placeEdgeTenant } from './support/edge-tenants.ts';

let directory: string;
let server: RestartableServer;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'cascata-faults-'));
  server = await startServer(join(directory, 'cluster'));
});
afterAll(async () => {
  await server?.stop();
  await rm(directory, { recursive: true, force: true });
});

describe('the PostgreSQL of a tenant', () => {
  let edge: Edge;
  beforeAll(async () => {
    await runOn(server.url(), TENANT_SQL);
    edge = await startEdge();
    await placeEdgeTenant(edge, edge.acme, { url: server.url() });
  });
  afterAll(() => edge?.close());

  const target = () => ({ url: edge.url, host: 'acme.localhost' });
  const other = () => ({ url: edge.url, host: 'globex.localhost' });

  interface Outcome {
    readonly status: number;
    readonly code: unknown;
  }

  const codeOf = (json: unknown) =>
    typeof json === 'object' && json !== null && 'code' in json ? json.code : undefined;

  let nextId = 10_000;

  /** Reads and writes of `acme` and reads of `globex` until `end` is called. */
  function startLoad() {
    const reads: Outcome[] = [];
    const others: Outcome[] = [];
    const writes = new Map<number, Outcome>();
    let isRunning = true;
    const loop = async (work: () => Promise<void>) => {
      while (isRunning) await work();
    };
    const read = async () => {
      const { status, json, text } = await ask(target(), '/rest/v1/notes?id=eq.1&select=body');
      if (status === 200) expect(text).toBe('[{"body":"first of acme"}]');
      reads.push({ status, code: codeOf(json) });
    };
    const slowRead = async () => {
      const { status, json } = await ask(target(), '/rest/v1/rpc/slow?seconds=0.05');
      if (status === 200) expect(json).toBe('slept');
      reads.push({ status, code: codeOf(json) });
    };
    const write = async () => {
      const id = nextId++;
      const { status, json } = await ask(target(), '/rest/v1/notes', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ id, body: 'new' }),
      });
      writes.set(id, { status, code: codeOf(json) });
    };
    const readOther = async () => {
      const { status, json, text } = await ask(other(), '/rest/v1/notes?id=eq.1&select=body');
      if (status === 200) expect(text).toBe('[{"body":"first of globex"}]');
      others.push({ status, code: codeOf(json) });
    };
    const loops = [read, read, slowRead, slowRead, write, write, write, readOther].map(loop);
    return {
      reads,
      writes,
      others,
      isGood: () => reads.at(-1)?.status === 200 && [...writes.values()].at(-1)?.status === 201,
      async end() {
        isRunning = false;
        await Promise.all(loops);
      },
    };
  }

  /** Whatever happened: nothing wrong was answered, and nothing acknowledged is missing. */
  async function check({ reads, writes, others }: ReturnType<typeof startLoad>): Promise<void> {
    expect(others.filter(({ status }) => status !== 200)).toEqual([]);
    const failedReads = reads.filter(({ status }) => status !== 200);
    // Reads that were under way have been repeated; only connecting can have failed.
    expect(
      failedReads.filter(({ status, code }) => status !== 503 || !/^(PGRST000|GW2)/.test(String(code))),
    ).toEqual([]);
    const kept = new Set(
      (await askDatabase(server.url(), 'SELECT id FROM edge_acme.notes')).map(({ id }) => id),
    );
    for (const [id, { status, code }] of writes) {
      if (status === 201) expect(kept, `acknowledged ${id}`).toContain(id);
      else {
        expect([status, String(code)]).toEqual([
          503,
          expect.stringMatching(/^(PGRST00[01]|57P0[123]|GW2..)$/),
        ]);
        // Nothing was sent, or the server itself said that it ended the transaction.
        if (code === 'PGRST000' || code === '57P03') expect(kept, `refused ${id}`).not.toContain(id);
      }
    }
  }

  test('restarted under load: no wrong answer, no acknowledged write lost, reads repeated, no restart of the gateway', async () => {
    const load = startLoad();
    await untilTrue(() => load.reads.length > 40 && load.writes.size > 20);
    for (let round = 0; round < 2; round++) {
      await server.stop();
      await server.start();
      await untilTrue(() => load.isGood());
    }
    await load.end();
    await check(load);
  });

  test('crashed under load (a backend killed, so that all sessions end): the same', async () => {
    const load = startLoad();
    await untilTrue(() => load.reads.length > 40 && load.writes.size > 20);
    const [victim] = await askDatabase(
      server.url(),
      `SELECT pid FROM pg_stat_activity WHERE application_name = 'cascata' LIMIT 1`,
    );
    const { length } = load.reads;
    process.kill(Number(victim?.pid), 'SIGKILL');
    await untilTrue(() => load.reads.length > length + 20 && load.isGood());
    await load.end();
    await check(load);
  });
});

describe('the control database', () => {
  test('stopped for longer than entries are good: known tenants are served, unknown hosts get 503, it stays ready, and all is as before once it is back', async () => {
    await runOn(server.url(), 'CREATE DATABASE control');
    // Entries expire several times during the outage.
    const edge = await startEdge({ caches: { tenantTtlMs: 100 } }, { control: server.url('control') });
    try {
      const status = async (host: string, path = '/rest/v1/notes') => {
        const answer = await ask({ url: edge.url, host }, path);
        return [answer.status, answer.headers['retry-after'], codeOf(answer.json)];
      };
      const OK = [200, undefined, undefined];
      expect(await status('acme.localhost')).toEqual(OK);
      expect(await status('nobody.localhost')).toEqual([404, undefined, 'GW101']);
      await server.stop();
      const until = Date.now() + 2_500;
      while (Date.now() < until) {
        expect(await status('acme.localhost')).toEqual(OK);
        expect((await status('acme.localhost', '/ready'))[0]).toBe(200);
      }
      expect(await status('nobody.localhost')).toEqual([503, '1', 'GW106']);
      // In the registry, but not known to this process.
      expect(await status('globex.localhost')).toEqual([503, '1', 'GW106']);
      await server.start();
      await untilTrue(async () => (await status('globex.localhost'))[0] === 200);
      expect(await status('nobody.localhost')).toEqual([404, undefined, 'GW101']);
      await edge.control(`UPDATE control.tenants SET status = 'suspended' WHERE id = 'acme'`);
      await untilTrue(async () => (await status('acme.localhost'))[0] === 403);
    } finally {
      await edge.close();
    }
  });

  const codeOf = (json: unknown) =>
    typeof json === 'object' && json !== null && 'code' in json ? json.code : undefined;
});
