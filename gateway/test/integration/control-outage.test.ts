import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  ask as askDatabase,
  type RestartableServer,
  runOn,
  startServer,
} from '../../../test/support/replication.ts';
import { loadGatewayConfig } from '../../platform/config.ts';
import { ask } from './support/ask.ts';
import { type Edge, edgeEnvironment, startEdge, untilTrue } from './support/edge.ts';

/** More than the time that entries of tenants are good for, by default. */
const OUTAGE_MS = 65_000;
const PAUSE_MS = 50;

let directory: string;
let server: RestartableServer;
let edge: Edge;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'cascata-outage-'));
  server = await startServer(join(directory, 'cluster'));
  await runOn(server.url(), 'CREATE DATABASE control');
  edge = await startEdge({}, { control: server.url('control') });
});
afterAll(async () => {
  await server?.start();
  await edge?.close();
  await server?.stop();
  await rm(directory, { recursive: true, force: true });
});

test('the control database down for a minute: every read and write of known tenants is served, and changes count again once it is back', async () => {
  const { tenantTtlMs } = loadGatewayConfig(edgeEnvironment(edge.controlUrl), {}).caches;
  expect(OUTAGE_MS).toBeGreaterThan(tenantTtlMs);
  const bad: unknown[] = [];
  const written: number[] = [];
  let reads = 0;
  let isRunning = true;
  const target = (host: string) => ({ url: edge.url, host });
  const read = async (tenant: string) => {
    while (isRunning) {
      const { status, text } = await ask(target(`${tenant}.localhost`), '/rest/v1/notes?id=eq.1&select=body');
      if (status !== 200 || text !== `[{"body":"first of ${tenant}"}]`) bad.push({ tenant, status, text });
      reads++;
      await sleep(PAUSE_MS);
    }
  };
  const write = async () => {
    for (let id = 10_000; isRunning; id++) {
      const { status, text } = await ask(target('acme.localhost'), '/rest/v1/notes', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ id, body: 'during the outage' }),
      });
      if (status === 201) written.push(id);
      else bad.push({ status, text });
      await sleep(PAUSE_MS);
    }
  };
  const watch = async () => {
    while (isRunning) {
      const { status } = await ask(target('any.localhost'), '/ready');
      if (status !== 200) bad.push({ path: '/ready', status });
      await sleep(PAUSE_MS);
    }
  };
  const load = [read('acme'), read('globex'), write(), watch()];
  await untilTrue(() => reads > 20 && written.length > 5);
  await server.stop();
  await sleep(OUTAGE_MS);
  const unknown = await ask(target('nobody.localhost'), '/rest/v1/notes');
  expect([unknown.status, unknown.headers['retry-after']]).toEqual([503, '1']);
  await server.start();
  await untilTrue(async () => (await ask(target('nobody.localhost'), '/rest/v1/notes')).status === 404);
  isRunning = false;
  await Promise.all(load);
  expect(bad).toEqual([]);
  const kept = new Set(
    (await askDatabase(edge.tenantUrl, 'SELECT id FROM edge_acme.notes')).map(({ id }) => id),
  );
  expect(written.filter((id) => !kept.has(id))).toEqual([]);
  expect(written.length).toBeGreaterThan(200);
  await edge.control(`UPDATE control.tenants SET status = 'suspended' WHERE id = 'acme'`);
  await untilTrue(async () => (await ask(target('acme.localhost'), '/rest/v1/notes')).status === 403);
}, 120_000);
