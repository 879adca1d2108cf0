import { type IncomingMessage, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runSql } from '../../../test/support/database.ts';
import { HEAP_ENV, heapUsed } from '../../../test/support/heap-used.ts';
import { eventually, startProcess, type TestProcess } from '../../../test/support/processes.ts';
import { createApp } from '../../app.ts';
import {
  anEdgeTenant,
  createEdgeDatabases,
  type Edge,
  type EdgeTenant,
  edgeEnvironment,
  registerEdgeTenant,
  startEdge,
  untilTrue,
} from './support/edge.ts';

const MEGABYTE = 1024 * 1024;
const ROWS = 250_000;
/** More than 250 MB of JSON. */
const BIG_SQL = `
  CREATE VIEW edge_acme.big AS
    SELECT i AS id, repeat(md5(i::text), 32) AS body FROM generate_series(1, ${ROWS}) i;
  GRANT SELECT ON edge_acme.big TO edge_acme_anon;
  -- The machine may be busy; what is bounded here is memory, not time.
  CREATE FUNCTION edge_acme.patience() RETURNS void LANGUAGE sql AS $$ SELECT set_config('statement_timeout', '0', true) $$;
  GRANT EXECUTE ON FUNCTION edge_acme.patience() TO edge_acme_anon;`;

/** The response's head; its body is not read before it is asked for. */
function open(port: number, tenant: EdgeTenant, path: string): Promise<IncomingMessage> {
  const headers = {
    host: `${tenant.id}.localhost`,
    apikey: tenant.publishable,
    accept: 'application/x-ndjson',
  };
  return new Promise((resolve, reject) => {
    request({ port, host: '127.0.0.1', path: `/rest/v1${path}`, headers, agent: false }, resolve)
      .on('error', reject)
      .end();
  });
}

interface Received {
  readonly bytes: number;
  readonly lines: number;
  readonly last: string;
}

/** @param pause called after each ten megabytes; the body is not read meanwhile */
async function receive(
  body: IncomingMessage,
  pause: (megabytes: number) => Promise<void>,
): Promise<Received> {
  let [bytes, lines, last, next] = [0, 0, Buffer.alloc(0), 10 * MEGABYTE];
  for await (const chunk of body as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    for (let at = chunk.indexOf(10); at !== -1; at = chunk.indexOf(10, at + 1)) lines++;
    last = Buffer.concat([last, chunk]).subarray(-2_000);
    if (bytes >= next) {
      next += 10 * MEGABYTE;
      await pause(bytes / MEGABYTE);
    }
  }
  return { bytes, lines, last: last.toString().trimEnd().split('\n').at(-1) ?? '' };
}

describe('a stream of more than 200 MB', () => {
  let databases: Awaited<ReturnType<typeof createEdgeDatabases>>;
  let gateway: TestProcess;
  let port: number;
  const acme = anEdgeTenant('acme');

  beforeAll(async () => {
    databases = await createEdgeDatabases();
    const { controlUrl, tenantUrl } = databases;
    await runSql(tenantUrl, BIG_SQL);
    await registerEdgeTenant(controlUrl, tenantUrl, acme);
    await runSql(
      controlUrl,
      `UPDATE control.tenants SET postgrest = postgrest || '{"db-pre-request": "public.patience"}'`,
    );
    gateway = startProcess([process.execPath, 'gateway/main.ts'], {
      ...edgeEnvironment(controlUrl),
      ...HEAP_ENV,
      LOG_LEVEL: 'info',
    });
    const [, text] = await gateway.printed(/"port":(\d+)/);
    port = Number(text);
    await untilTrue(async () => (await fetch(`http://127.0.0.1:${port}/ready`)).status === 200);
  });

  afterAll(async () => {
    gateway?.kill('SIGTERM');
    await gateway?.ended;
    await databases?.close();
  });

  /** Bytes of the gateway's process that are in memory. */
  async function residentBytes(): Promise<number> {
    const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    return Number(/^process_resident_memory_bytes (\S+)$/m.exec(text)?.[1]);
  }

  async function liveBytes(): Promise<number> {
    const { heap, buffers } = await heapUsed(gateway.pid, () => gateway.output.stderr);
    return heap + buffers;
  }

  it('takes no memory that grows with it, whether it is read fast or not', async () => {
    // Code, caches and pools are there after the first.
    await receive(await open(port, acme, '/big?limit=20000'), async () => {});
    const [resident, live] = [await residentBytes(), await liveBytes()];
    const residents: number[] = [];
    const lives: number[] = [];
    const received = await receive(await open(port, acme, '/big'), async (megabytes) => {
      residents.push(await residentBytes());
      // A reader that takes its time: what the server could send by then has to wait there.
      if (megabytes >= 100 && lives.length < 3) {
        await sleep(500);
        lives.push(await liveBytes());
      }
    });
    expect(received).toMatchObject({
      lines: ROWS,
      last: expect.stringMatching(new RegExp(`^\\{"id":${ROWS},"body":"[0-9a-f]{1024}"\\}$`)),
    });
    expect(received.bytes).toBeGreaterThan(200 * MEGABYTE);
    expect(Math.max(...lives) - live).toBeLessThan(10 * MEGABYTE);
    expect(Math.max(...residents) - resident).toBeLessThan(120 * MEGABYTE);
  }, 120_000);
});

describe('a client that reads too slowly', () => {
  let edge: Edge;
  beforeAll(async () => {
    edge = await startEdge({ gateway: { streamStallTimeoutMs: 1_000 } });
    await runSql(edge.tenantUrl, BIG_SQL);
  });
  afterAll(() => edge?.close());

  it('is cut off after the time it is given, and its connection serves others', async () => {
    const body = await open(edge.port, edge.acme, '/big');
    body.on('error', () => {});
    // Not read at all: a few megabytes are in the sockets, and no more comes.
    const finished = () => edge.observations.find(({ kind }) => kind === 'request-finished');
    await eventually(async () => finished() !== undefined, { what: 'the end of the stream' });
    expect(finished()).toMatchObject({ status: 200, errorCode: 'GW320' });
    await expect(receive(body, async () => {})).rejects.toThrow('aborted');
    const { metrics } = edge.services;
    await eventually(
      async () => {
        const text = await metrics.render();
        return /^cascata_transactions_in_flight 0$/m.test(text);
      },
      { what: 'a connection at rest' },
    );
    expect(await receive(await open(edge.port, edge.acme, '/notes'), async () => {})).toMatchObject({
      lines: 2,
    });
  });

  it('is cut off behind the Fetch API, too', async () => {
    const headers = { apikey: edge.acme.publishable, accept: 'application/x-ndjson' };
    const fetchApp = (path: string) =>
      createApp(edge.services).fetch(new Request(`http://acme.localhost/rest/v1${path}`, { headers }));
    const small = await fetchApp('/notes?select=id&order=id');
    expect(await small.text()).toBe('{"id":1}\n{"id":2}\n');
    const big = (await fetchApp('/big')).body?.getReader();
    const first = await big?.read();
    expect(first?.value?.length).toBeGreaterThan(0);
    await expect(big?.closed).rejects.toMatchObject({ code: 'GW320' });
  });

  it('but keeps on reading, is served to the end', async () => {
    const body = await open(edge.port, edge.acme, '/big?limit=40000');
    let pauses = 0;
    const received = await receive(body, async () => {
      pauses++;
      await sleep(400);
    });
    expect(received).toMatchObject({ lines: 40_000 });
    // All of them together are longer than it may stand still.
    expect(pauses * 400).toBeGreaterThan(1_000);
  });
});
