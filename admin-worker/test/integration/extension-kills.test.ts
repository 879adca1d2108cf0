import type { IncomingMessage, ServerResponse } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { whyNoDockerGround } from '../../../test/support/docker-ground.ts';
import type { TestProcess } from '../../../test/support/processes.ts';
import { type ExtensionStage, startExtensionStage } from '../support/extension-stage.ts';

const NOTHING = { payloads: [], staging: [], containers: '', spool: [] };
const HAS = `SELECT extversion AS version FROM pg_extension WHERE extname = 'pgtap'`;

/*
 * kill -9 of one runner after the other, in and between the steps of the jobs that bring files, replace them and take them away. `engine start 1` kills as the engine has
 * answered the first call of this kind: the container is there, or runs, and goes on without whoever wanted it.
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

  const prepare = (point: string) => stage.prepareRunner(point.startsWith('engine') ? '' : point);

  /** The next one gets ready while one is at work. */
  async function killAtEach(id: string, points: readonly string[]): Promise<TestProcess> {
    let next = prepare(points[0] ?? '');
    for (const [index, point] of points.entries()) {
      const runner = next;
      next = prepare(points[index + 1] ?? '');
      const armed = point.startsWith('engine') ? killAtCall(point, runner) : undefined;
      await runner.printed(/^waits$/m);
      runner.kill('SIGUSR2');
      expect([point, await runner.ended]).toEqual([point, 'SIGKILL']);
      armed?.();
      await stage.expireLease(id);
    }
    return next;
  }

  /** @returns what takes the watch away */
  function killAtCall(point: string, runner: TestProcess): () => void {
    const [, call, nth] = point.split(' ');
    let seen = 0;
    const watch = ({ method, url = '' }: IncomingMessage, answer: ServerResponse) => {
      if (method !== 'POST' || !new RegExp(`/containers/.*${call}(?:\\?|$)`).test(url)) return;
      seen++;
      if (seen === Number(nth)) answer.once('finish', () => runner.kill('SIGKILL'));
    };
    stage.proxy.on('request', watch);
    return () => stage.proxy.off('request', watch);
  }

  /** One that lives brings it to its end. */
  async function finish(id: string, last: TestProcess) {
    await last.printed(/^waits$/m);
    last.kill('SIGUSR2');
    const done = await stage.admin.waitForJob(id);
    last.kill('SIGTERM');
    expect(await last.ended).toBe(0);
    return { ...done, log: String(done.state) === 'completed' ? undefined : await stage.logOf(id) };
  }

  test('anywhere in undoing an injection: nothing is left', async () => {
    const id = await stage.request('POST', extensions(), { name: 'pgtap' });
    (await killAtEach(id, ['step-run create'])).kill('SIGKILL');
    expect(await installed()).toBe('1.3.3');
    await stage.admin.request('POST', `/v1/jobs/${id}/cancel`);
    const last = await killAtEach(id, [
      'undo-run create',
      'engine start 1',
      'undo-run publish',
      'engine start 2',
      'undo-run stage',
    ]);
    expect(await finish(id, last)).toMatchObject({ state: 'cancelled', steps_begun: [] });
    expect(await installed()).toBeUndefined();
    expect([await stage.core.status('pgtap'), await stage.leftOvers()]).toEqual(['', NOTHING]);
  });

  test('anywhere in an injection: it is there once, and nothing beside it', async () => {
    const id = await stage.request('POST', extensions(), { name: 'pgtap' });
    const last = await killAtEach(id, [
      'step-run check',
      'step-run pull',
      'engine create 1',
      'engine start 1',
      'step-run stage',
      'engine start 2',
      'step-run rehearse',
      'engine start 2',
      'step-run publish',
      'step-run create',
      'step-run smoke',
      'step-run announce',
    ]);
    expect(await finish(id, last)).toMatchObject({
      state: 'completed',
      attempt: 13,
      result: { action: 'inject' },
    });
    expect(await installed()).toBe('1.3.3');
    expect(await stage.leftOvers()).toEqual({ ...NOTHING, payloads: [expect.stringMatching(/^pgtap\//)] });
  });

  test('anywhere in an upgrade: it is updated once, and either all of it or nothing', async () => {
    stage.images.pgtap = stage.ground.images['pgtap-next']!;
    const id = await stage.request('POST', extensions(), { name: 'pgtap', upgrade: true });
    const last = await killAtEach(id, [
      'step-kept stage',
      'engine start 2',
      'step-run publish',
      'after SET LOCAL lock_timeout',
    ]);
    // The update was made and not committed.
    expect(await installed()).toBe('1.3.3');
    last.kill('SIGKILL');
    const next = await killAtEach(id, ['before COMMIT', 'after COMMIT', 'step-run create']);
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
    const last = await killAtEach(id, ['engine start 1']);
    await expect.poll(() => stage.core.status('pgtap'), { timeout: 20_000 }).toBe('');
    await stage.admin.request('POST', `/v1/jobs/${id}/cancel`);
    expect(await finish(id, last)).toMatchObject({ state: 'cancelled' });
    expect(await stage.core.status('pgtap')).toMatch(/^linked /);
    await stage.core.query('CREATE EXTENSION pgtap; DROP EXTENSION pgtap', database);
  });

  test('anywhere in collecting: what nobody uses is gone, and nothing of it is left', async () => {
    const id = await stage.request('POST', '/v1/extensions/collect');
    const last = await killAtEach(id, [
      'step-run leftovers',
      'engine start 1',
      'engine start 1',
      'step-run bundles',
      'engine start 1',
      'step-run payloads',
    ]);
    expect(await finish(id, last)).toMatchObject({ state: 'completed' });
    expect([await stage.core.status('pgtap'), await stage.leftOvers()]).toEqual(['', NOTHING]);
  });

  test('anywhere in a withdrawal: extension, manifest and files are gone', async () => {
    const asked = await stage.request('POST', extensions(), { name: 'pgtap' });
    const runner = prepare('');
    expect(await finish(asked, runner)).toMatchObject({ state: 'completed' });
    const id = await stage.request('DELETE', `${extensions()}/pgtap`);
    const last = await killAtEach(id, [
      'step-run check',
      'step-run drop',
      'engine start 1',
      'engine start 1',
      'step-run files',
      'step-run announce',
    ]);
    expect(await finish(id, last)).toMatchObject({
      state: 'completed',
      result: { dropped: true, files_gone: true },
    });
    expect(await installed()).toBeUndefined();
    expect([await stage.core.status('pgtap'), await stage.leftOvers()]).toEqual(['', NOTHING]);
  });
});
