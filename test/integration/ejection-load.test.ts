import { afterAll, beforeAll, expect, test } from 'vitest';
import { startBlockedProxy } from '../support/blocked-proxy.ts';
import { runSql } from '../support/database.ts';
import { type EjectedTenant, type EjectionWorld, rowsOf, startEjectionWorld } from '../support/ejection.ts';
import { compareWritten, EVENTS_TABLE, startLoad } from '../support/ejection-load.ts';

let world: EjectionWorld;
beforeAll(async () => {
  world = await startEjectionWorld();
}, 120_000);
afterAll(() => world?.stop());

/** Other machines, other figures: far more than a pause should take, so that only a switch that is stuck fails. */
const STUCK_MS = 60_000;
/** Size of what is moved while the writers write. 1000 for the long one: docs/ejection.md. */
const MEGABYTES = Number(process.env.EJECTION_TEST_MB ?? '10');
const TIMEOUT_MS = 180_000 + MEGABYTES * 2_000;

const BALLAST = 'CREATE TABLE ballast (id int PRIMARY KEY, filler text NOT NULL);';

/** Rows of some 1 kB; not by a migration, which would take its time over 1 GB. */
const fillBallast = ({ id, homeUrl }: EjectedTenant) =>
  runSql(
    homeUrl,
    `INSERT INTO ${id}.ballast SELECT n, repeat(md5(n::text), 31) FROM generate_series(1, ${MEGABYTES * 1_000}) n`,
  );

test.each(['online', 'offline'] as const)(
  'moved %s under load: no acknowledged write is lost, none is there twice, no read fails',
  async (mode) => {
    const gateways = [await world.startGateway(), await world.startGateway()];
    const tenant = await world.newTenant('shared', EVENTS_TABLE + BALLAST);
    await fillBallast(tenant);
    const target = await world.newTarget();
    const load = startLoad(gateways, tenant);
    const job = await world.eject(tenant.id, {
      remote_connection_string: target,
      mode,
      // Offline it is part of the pause.
      verify: mode === 'offline' && MEGABYTES > 100 ? 'counts' : 'contents',
    });
    // Some more at the new place.
    const report = await new Promise<Awaited<ReturnType<typeof load.stop>>>((resolve, reject) =>
      setTimeout(() => load.stop().then(resolve, reject), 500),
    );
    const { acknowledged, refused, reads, longestPauseMs } = report;
    process.stdout.write(
      `${mode}, ${MEGABYTES} MB: ${acknowledged} writes, ${reads} reads, ${refused} writes refused and repeated; longest time without a write ${Math.round(longestPauseMs)} ms (by the job: ${JSON.stringify(job.result)})\n`,
    );
    const log = await world.admin.request('GET', `/v1/jobs/${String(job.id)}/log`, {
      headers: { accept: 'text/plain' },
    });
    process.stdout.write(`${log.text.match(/(?:compared ahead|writes were held).*/g)?.join('\n') ?? ''}\n`);
    expect(job.error).toBeNull();
    expect(report.unexpected).toEqual([]);
    expect(acknowledged).toBeGreaterThan(50);
    expect(await compareWritten(target, tenant.id, report)).toEqual({ lost: [], doubled: [], unknown: [] });
    const old = await rowsOf<{ n: number }>(
      tenant.homeUrl,
      `SELECT count(*)::int AS n FROM ${tenant.id}.events`,
    );
    expect(old[0]!.n).toBeLessThan(acknowledged);
    expect(longestPauseMs).toBeLessThan(STUCK_MS + MEGABYTES * 1_000);
  },
  TIMEOUT_MS,
);

test('a gateway that hears of nothing cannot write to the old place after the switch, in either direction', async () => {
  const proxy = await startBlockedProxy(world.source.port);
  try {
    const late = await world.startGateway({
      controlUrl: world.admin.controlUrl.replace(/:\d+\//, `:${proxy.port}/`),
    });
    const tenant = await world.newTenant('shared', EVENTS_TABLE);
    const target = await world.newTarget();
    expect((await late.ask(tenant, 'POST', '/events', { writer: 1, seq: 1 })).status).toBe(201);
    proxy.block('all');
    const job = await world.eject(tenant.id, { remote_connection_string: target });
    expect(job.error).toBeNull();

    const refused = await late.ask(tenant, 'POST', '/events', { writer: 1, seq: 2 });
    expect(refused).toMatchObject({ status: 503, retryAfter: '2' });
    expect(JSON.parse(refused.text)).toMatchObject({ code: 'GW103' });
    // What it may do there is read.
    expect((await late.ask(tenant, 'GET', '/events?select=seq')).text).toBe('[{"seq":1}]');

    // The registry answers again, notifications are still missing: the old place's refusal makes it look.
    proxy.block('listeners');
    await expect
      .poll(async () => (await late.ask(tenant, 'POST', '/events', { writer: 1, seq: 3 })).status, {
        timeout: 20_000,
      })
      .toBe(201);
    const count = `SELECT array_agg(seq ORDER BY id) AS seqs FROM ${tenant.id}.events`;
    expect(await rowsOf(tenant.homeUrl, count)).toEqual([{ seqs: [1] }]);
    expect(await rowsOf(target, count)).toEqual([{ seqs: [1, 3] }]);

    // The same on the way back.
    proxy.block('all');
    expect((await world.repatriate(tenant.id, {})).error).toBeNull();
    expect(await late.ask(tenant, 'POST', '/events', { writer: 1, seq: 4 })).toMatchObject({ status: 503 });
    proxy.block('listeners');
    await expect
      .poll(async () => (await late.ask(tenant, 'POST', '/events', { writer: 1, seq: 5 })).status, {
        timeout: 20_000,
      })
      .toBe(201);
    expect(await rowsOf(tenant.homeUrl, count)).toEqual([{ seqs: [1, 3, 5] }]);
    expect(await rowsOf(target, count)).toEqual([{ seqs: [1, 3] }]);
  } finally {
    await proxy.close();
  }
}, 120_000);

test('beyond its bounds the queue of held writes refuses, and reads go on', async () => {
  const gateway = await world.startGateway({
    config: { gateway: { moveHoldMaxRequests: 2, moveHoldTimeoutMs: 2_000 } },
  });
  const tenant = await world.newTenant('shared', EVENTS_TABLE);
  const write = (seq: number) => gateway.ask(tenant, 'POST', '/events', { writer: 1, seq });
  const setStatus = (status: string) =>
    world.admin.control('UPDATE control.tenants SET status = $2 WHERE id = $1', [tenant.id, status]);
  expect((await write(1)).status).toBe(201);
  await setStatus('moving');
  await expect.poll(async () => (await write(0)).status, { timeout: 10_000 }).toBe(503);

  const held = [write(2), write(3)];
  await new Promise((resolve) => setTimeout(resolve, 200));
  const beyond = await write(4);
  expect(beyond).toMatchObject({ status: 503, retryAfter: '2' });
  expect(JSON.parse(beyond.text)).toMatchObject({
    code: 'GW103',
    details: 'Too many writes are waiting for it',
  });
  expect((await gateway.ask(tenant, 'GET', '/events?select=seq&seq=gt.0')).text).toBe('[{"seq":1}]');
  await setStatus('active');
  expect((await Promise.all(held)).map(({ status }) => status)).toEqual([201, 201]);

  await setStatus('moving');
  await expect
    .poll(async () => JSON.parse((await write(5)).text || '{}').details, { timeout: 10_000 })
    .toBe('The wait was too long');
  await setStatus('active');
}, 60_000);
