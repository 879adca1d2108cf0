import { mkdtemp, readdir, rm } from 'node:fs/promises';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { expect } from 'vitest';
import { Secret } from '../../../gateway/registry/secrets.ts';
import { type DockerGround, startDockerGround } from '../../../test/support/docker-ground.ts';
import { type PhantomCore, startPhantomCore } from '../../../test/support/phantom-core.ts';
import { startProcess, type TestProcess } from '../../../test/support/processes.ts';
import { dockerodeEngine } from '../../containers/dockerode-engine.ts';
import { createEngineProxy } from '../../engine-proxy/engine-proxy.ts';
import { startNow } from '../../jobs/enqueue-job.ts';
import { findJob } from '../../jobs/job-store.ts';
import { openSender } from '../../jobs/queue.ts';
import { type JobRunner, startJobRunner } from '../../runner/job-runner.ts';
import { type AdminHarness, type Json, startAdminHarness } from './admin-harness.ts';
import { RUNNER_PROCESS } from './job-harness.ts';
import { killAtEach } from './kill-runners.ts';
import { runnerVariables } from './runner-variables.ts';

/** A core, the admin API, and runners that reach the engine by the proxy, as in production. */
export interface ExtensionStage {
  readonly ground: DockerGround;
  readonly core: PhantomCore;
  readonly admin: AdminHarness;
  /** In front of the engine's socket. */
  readonly proxy: Server;
  /** Images that are pinned, by bundle; a test may pin others. Runners that are processes have what was pinned as they started. */
  readonly images: Record<string, string>;
  /** A runner in this process; the stage ends it. */
  startRunner(): Promise<JobRunner>;
  /** Has runner after runner take the job and die at one point each. @returns one that waits to be begun, and lives */
  killAt(id: string, points: readonly string[]): Promise<TestProcess>;
  aTenant(kind?: 'shared' | 'database'): Promise<string>;
  /** Sends a request that makes a job; returns its id. */
  request(method: string, path: string, body?: object): Promise<string>;
  /** The same, and waits for its end. */
  job(method: string, path: string, body?: object): Promise<Json>;
  /** What the clock does at the hour of a queue. */
  tick(queue: string): Promise<void>;
  /** The newest job of a kind. */
  latest(kind: string): Promise<Json | undefined>;
  logOf(id: unknown): Promise<string>;
  leftOvers(): Promise<LeftOvers>;
  stop(): Promise<void>;
}

export interface LeftOvers {
  /** `bundle/digest`, the first digits of it, of each payload on the volume. */
  readonly payloads: readonly string[];
  readonly staging: readonly string[];
  /** Our containers, whatever state they are in. */
  readonly containers: string;
  readonly spool: readonly string[];
}

/** @param makeCore builds the image of the server on the ground; default: the ground's own */
export async function startExtensionStage(
  makeCore: (ground: DockerGround) => Promise<string> = async ({ coreImage }) => coreImage,
): Promise<ExtensionStage> {
  const ground = await startDockerGround();
  const core = await startPhantomCore(ground, { image: await makeCore(ground) });
  const proxy = createEngineProxy({ socketPath: ground.socketPath, coreContainer: core.container });
  const engine = `tcp://127.0.0.1:${await listen(proxy)}`;
  const spoolDir = await mkdtemp(join(tmpdir(), 'phantom-spool-'));
  const images: Record<string, string> = {};
  for (const name of ['postgis', 'pgvector', 'pgtap']) images[name] = ground.images[name]!;
  const phantom = {
    engine: dockerodeEngine(engine),
    coreContainer: core.container,
    key: new Secret(core.key),
    images,
    spoolDir,
  };
  const admin = await startAdminHarness({
    serverUrl: core.url(),
    isServerDisposable: true,
    phantom,
    withRunner: false,
  });
  const control = new pg.Pool({ connectionString: admin.controlUrl, max: 2 });
  // The server is taken away under it.
  control.on('error', () => undefined);
  const boss = openSender(control, () => undefined);
  await boss.start();
  const runners = new Set<JobRunner>();
  const processes: TestProcess[] = [];
  const causes: Error[] = [];

  const stage: ExtensionStage = {
    ground,
    core,
    admin,
    proxy,
    images,
    async startRunner() {
      const runner = await startJobRunner({
        controlDatabaseUrl: new Secret(admin.controlUrl),
        masterKey: admin.masterKey,
        sharedDatabase: admin.sharedDatabase,
        remotes: { allowedNetworks: ['127.0.0.1/32', '::1/128'] },
        dataDir: admin.dataDir,
        observe: (observation) => {
          if ('cause' in observation && observation.cause instanceof Error) causes.push(observation.cause);
        },
        phantom,
        jobRetentionDays: 30,
      });
      runners.add(runner);
      return {
        stop(signal) {
          runners.delete(runner);
          return runner.stop(signal);
        },
      };
    },
    killAt: async (jobId, points) =>
      killAtEach({
        jobId,
        kind: (await findJob(control, jobId))!.name,
        points,
        prepare: ({ killAt, kind }) => {
          const runner = startProcess([process.execPath, RUNNER_PROCESS], {
            ...runnerVariables(admin),
            TEST_PHANTOM: JSON.stringify({ ...phantom, engine, key: core.key }),
            KILL_AT: killAt,
            ONLY_KIND: kind,
            WAITS: 'yes',
          });
          processes.push(runner);
          return runner;
        },
        watch: (point, runner) =>
          point.startsWith('engine ') ? killAtCall(proxy, point, runner) : undefined,
        expireLease: async (id) => {
          const job = (await findJob(control, id))!;
          // So many deaths are no sign that the job itself is deadly.
          await control.query('UPDATE control.jobs SET failures = 0 WHERE id = $1', [id]);
          await boss.fail(job.name, id, { message: 'no sign of life' });
          await startNow(boss, job);
        },
      }),
    async aTenant(kind = 'database') {
      const id = admin.tenantId();
      const { status, text } = await admin.request('POST', '/v1/tenants', {
        body: { id, hosts: [`${id}.localhost`], placement: { kind } },
      });
      expect(status, text).toBe(201);
      return id;
    },
    async request(method, path, body = {}) {
      const answer = await admin.request(method, path, { body });
      expect(answer.status, answer.text).toBe(202);
      return String(answer.body.job?.id);
    },
    async job(method, path, body) {
      const id = await stage.request(method, path, body);
      return admin.waitForJob(id).catch(async (error: unknown) => {
        throw new Error(`its log: ${await stage.logOf(id)}`, { cause: error });
      });
    },
    tick: async (queue) => void (await boss.send(queue)),
    async latest(kind) {
      const { body } = await admin.request('GET', `/v1/jobs?kind=${kind}&limit=1`);
      return (body.jobs as unknown as Json[])[0];
    },
    logOf: async (id) =>
      (causes.at(-1)?.stack ?? '') +
      (await admin.request('GET', `/v1/jobs/${String(id)}/log`, { headers: { accept: 'text/plain' } })).text,
    async leftOvers() {
      const list = (path: string) => readdir(join(core.volumePath, path)).catch(() => []);
      const bundles = await list('ext');
      const payloads = await Promise.all(
        bundles.map(async (bundle) =>
          (await list(`ext/${bundle}`)).map((digest) => `${bundle}/${digest.slice(0, 8)}`),
        ),
      );
      return {
        payloads: payloads.flat().toSorted(),
        staging: await list('.staging'),
        containers: await ground.docker('ps', '-aq', '--filter', 'label=io.cascata.edge.job'),
        spool: await readdir(spoolDir),
      };
    },
    async stop() {
      for (const process of processes) process.kill('SIGKILL');
      await Promise.all(processes.map(({ ended }) => ended));
      await Promise.all([...runners].map((runner) => runner.stop(AbortSignal.timeout(1_000))));
      await boss.stop({ graceful: false });
      await control.end();
      await admin.stop();
      proxy.close();
      proxy.closeAllConnections();
      await core.remove();
      await ground.stop();
      await rm(spoolDir, { recursive: true, force: true });
    },
  };
  return stage;
}

/** Kills a runner as the engine has answered the first, second … call of a kind: the container is there, or runs, and goes on without whoever wanted it. */
function killAtCall(proxy: Server, point: string, runner: TestProcess): () => void {
  const [, call, nth] = point.split(' ');
  let seen = 0;
  const watch = ({ method, url = '' }: IncomingMessage, answer: ServerResponse) => {
    if (method !== 'POST' || !new RegExp(`/containers/.*${call}(?:\\?|$)`).test(url)) return;
    seen++;
    if (seen === Number(nth)) answer.once('finish', () => runner.kill('SIGKILL'));
  };
  proxy.on('request', watch);
  return () => proxy.off('request', watch);
}

function listen(server: Server): Promise<number> {
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port));
  });
}
