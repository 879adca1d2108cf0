import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { whyNoDockerGround } from '../../../test/support/docker-ground.ts';
import type { TestProcess } from '../../../test/support/processes.ts';
import { type ExtensionStage, startExtensionStage } from '../support/extension-stage.ts';
import { KILL_POINTS } from '../support/kill-points.ts';
import { begin } from '../support/kill-runners.ts';

const INJECT = KILL_POINTS['inject-extension'];
const ANEW = 'cascata-test/core-anew:17';
const NOTHING = { payloads: [], staging: [], containers: '', spool: [] };
const HAS = `SELECT extversion AS version FROM pg_extension WHERE extname = 'pgtap'`;

/*
 * kill -9 of one runner after the other, in and between the steps of the jobs that bring files, replace them and take them away.
 */
describe.skipIf(whyNoDockerGround() !== undefined)('kill -9 of the runner', { timeout: 180_000 }, () => {
  let stage: ExtensionStage;
  let tenant: string;
  let database: string;

  beforeAll(async () => {
    stage = await startExtensionStage();
    tenant = await stage.aTenant();
    database = `cascata_t_${tenant}`;
  }, 180_000);
  afterAll(async () => {
    await stage?.stop();
  }, 60_000);

  const installed = async () => (await stage.core.query(HAS, database))[0]?.version;
  const extensions = () => `/v1/tenants/${tenant}/extensions`;

  /** One that lives brings it to its end. */
  async function finish(id: string, last: TestProcess) {
    await begin(last);
    const done = await stage.admin.waitForJob(id);
    last.kill('SIGTERM');
    expect(await last.ended).toBe(0);
    return { ...done, log: String(done.state) === 'completed' ? undefined : await stage.logOf(id) };
  }

  test('anywhere in undoing an injection: nothing is left', async () => {
    const id = await stage.request('POST', extensions(), { name: 'pgtap' });
    (await stage.killAt(id, INJECT.cancelled)).kill('SIGKILL');
    expect(await installed()).toBe('1.3.3');
    await stage.admin.request('POST', `/v1/jobs/${id}/cancel`);
    const last = await stage.killAt(id, INJECT.undone);
    expect(await finish(id, last)).toMatchObject({ state: 'cancelled', steps_begun: [] });
    expect(await installed()).toBeUndefined();
    expect([await stage.core.status('pgtap'), await stage.leftOvers()]).toEqual(['', NOTHING]);
  });

  test('anywhere in an injection: it is there once, and nothing beside it', async () => {
    const id = await stage.request('POST', extensions(), { name: 'pgtap' });
    const last = await stage.killAt(id, INJECT.run);
    expect(await finish(id, last)).toMatchObject({
      state: 'completed',
      attempt: INJECT.run.length + 1,
      result: { action: 'inject' },
    });
    expect(await installed()).toBe('1.3.3');
    expect(await stage.leftOvers()).toEqual({ ...NOTHING, payloads: [expect.stringMatching(/^pgtap\//)] });
  });

  test('anywhere in an upgrade: it is updated once, and either all of it or nothing', async () => {
    stage.images.pgtap = stage.ground.images['pgtap-next']!;
    const id = await stage.request('POST', extensions(), { name: 'pgtap', upgrade: true });
    const last = await stage.killAt(id, INJECT.upgrade);
    // The update was made and not committed.
    expect(await installed()).toBe('1.3.3');
    last.kill('SIGKILL');
    const next = await stage.killAt(id, INJECT.upgradeCommit);
    expect(await finish(id, next)).toMatchObject({
      state: 'completed',
      result: { action: 'inject', version: '9.9.9' },
    });
    expect(await installed()).toBe('9.9.9');
    expect(await stage.leftOvers()).toMatchObject({ ...NOTHING, payloads: { length: 2 } });
  });

  test('in collecting files that somebody has begun to take away: a cancelled job puts them back', async () => {
    await stage.core.query('DROP EXTENSION pgtap', database);
    const id = await stage.request('POST', '/v1/extensions/collect');
    const last = await stage.killAt(id, KILL_POINTS['collect-payloads'].cancelled);
    await expect.poll(() => stage.core.status('pgtap'), { timeout: 20_000 }).toBe('');
    await stage.admin.request('POST', `/v1/jobs/${id}/cancel`);
    last.kill('SIGKILL');
    const undoing = await stage.killAt(id, KILL_POINTS['collect-payloads'].undone);
    expect(await finish(id, undoing)).toMatchObject({ state: 'cancelled' });
    expect(await stage.core.status('pgtap')).toMatch(/^linked /);
    await stage.core.query('CREATE EXTENSION pgtap; DROP EXTENSION pgtap', database);
  });

  test('anywhere in collecting: what nobody uses is gone, and nothing of it is left', async () => {
    const id = await stage.request('POST', '/v1/extensions/collect');
    const last = await stage.killAt(id, KILL_POINTS['collect-payloads'].run);
    expect(await finish(id, last)).toMatchObject({ state: 'completed' });
    expect([await stage.core.status('pgtap'), await stage.leftOvers()]).toEqual(['', NOTHING]);
  });

  test('anywhere in a withdrawal: extension, manifest and files are gone', async () => {
    const asked = await stage.request('POST', extensions(), { name: 'pgtap' });
    expect(await finish(asked, await stage.killAt(asked, []))).toMatchObject({ state: 'completed' });
    const id = await stage.request('DELETE', `${extensions()}/pgtap`);
    const last = await stage.killAt(id, KILL_POINTS['withdraw-extension'].run);
    expect(await finish(id, last)).toMatchObject({
      state: 'completed',
      result: { dropped: true, files_gone: true },
    });
    expect(await installed()).toBeUndefined();
    expect([await stage.core.status('pgtap'), await stage.leftOvers()]).toEqual(['', NOTHING]);
  });

  test('anywhere in undoing what came for no tenant yet: nothing is left', async () => {
    const id = await stage.request('POST', '/v1/extensions', { name: 'pgtap' });
    (await stage.killAt(id, KILL_POINTS['bring-extension'].cancelled)).kill('SIGKILL');
    expect(await stage.core.status('pgtap')).toMatch(/^linked /);
    await stage.admin.request('POST', `/v1/jobs/${id}/cancel`);
    const last = await stage.killAt(id, KILL_POINTS['bring-extension'].undone);
    expect(await finish(id, last)).toMatchObject({ state: 'cancelled', steps_begun: [] });
    expect([await stage.core.status('pgtap'), await stage.leftOvers()]).toEqual(['', NOTHING]);
  });

  test('anywhere in bringing files for no tenant yet: they are there once, and nothing beside them', async () => {
    const id = await stage.request('POST', '/v1/extensions', { name: 'pgtap' });
    const last = await stage.killAt(id, KILL_POINTS['bring-extension'].run);
    expect(await finish(id, last)).toMatchObject({
      state: 'completed',
      result: { image: stage.images.pgtap },
    });
    expect(await stage.core.status('pgtap')).toMatch(/^linked /);
    expect(await stage.leftOvers()).toEqual({ ...NOTHING, payloads: [expect.stringMatching(/^pgtap\//)] });
  });

  test('anywhere in judging again after an update of the server: what fits is signed for it', async () => {
    const status = await stage.core.status('pgtap');
    await stage.core.recreate(await sameServerAnew());
    const id = await stage.request('POST', '/v1/extensions/rejudge');
    const last = await stage.killAt(id, KILL_POINTS['rejudge-extensions'].run);
    expect(await finish(id, last)).toMatchObject({
      state: 'completed',
      result: { verdicts: { pgtap: null } },
    });
    const { Id } = JSON.parse(await stage.ground.docker('inspect', ANEW))[0];
    expect(await manifest()).toContain(`\ncore ${Id}\n`);
    expect(await stage.core.status('pgtap')).toBe(status);
    await stage.core.query('CREATE EXTENSION pgtap', database);
    expect(await stage.leftOvers()).toEqual({ ...NOTHING, payloads: [expect.stringMatching(/^pgtap\//)] });
  });

  const manifest = () => readFile(join(stage.core.volumePath, 'manifests/pgtap.manifest'), 'utf8');

  /** An image of another id. */
  async function sameServerAnew(): Promise<string> {
    const context = await mkdtemp(join(tmpdir(), 'core-anew-'));
    try {
      await writeFile(join(context, 'Dockerfile'), `FROM ${stage.ground.coreImage}\nLABEL anew=yes\n`);
      await stage.ground.docker('build', '-q', '-t', ANEW, context);
      return ANEW;
    } finally {
      await rm(context, { recursive: true, force: true });
    }
  }
});
