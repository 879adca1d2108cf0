import { test } from 'vitest';
import { startAdminHarness } from '../../admin-worker/test/support/admin-harness.ts';
import { startDockerGround } from '../support/docker-ground.ts';
import { startPhantomCore } from '../support/phantom-core.ts';

test('x', async () => {
  let t = performance.now();
  const lap = (name: string) => {
    const n = performance.now();
    process.stderr.write(`LAP ${name} ${Math.round(n - t)}\n`);
    t = n;
  };
  const ground = await startDockerGround();
  lap('ground');
  const core = await startPhantomCore(ground);
  lap('core');
  const admin = await startAdminHarness({ serverUrl: core.url() });
  lap('admin');
  const id = admin.tenantId();
  await admin.request('POST', '/v1/tenants', {
    body: { id, hosts: [`${id}.localhost`], placement: { kind: 'database' } },
  });
  lap('tenant');
  await admin.stop();
  lap('admin stop');
  await core.remove();
  lap('core remove');
  await ground.stop();
  lap('ground stop');
}, 100000);
