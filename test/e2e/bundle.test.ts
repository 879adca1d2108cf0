import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { localhostFetch } from '../support/localhost-fetch.ts';
import { startProcess } from '../support/processes.ts';
import { startStack } from '../support/stack.ts';

const MASTER_KEY = 'the master key of the bundled gateway';

test('the gateway that images run, bundled, serves the tenants of the registry', async () => {
  const [stack] = await Promise.all([
    startStack({ CASCATA_MASTER_KEY: MASTER_KEY }),
    promisify(execFile)('npm', ['run', 'build'], { cwd: new URL('../..', import.meta.url) }),
  ]);
  const bundled = startProcess([process.execPath, 'dist/bundle/gateway/main.js'], {
    NODE_ENV: 'production',
    CONTROL_DATABASE_URL: await stack.databaseUrl('cascata_control'),
    CASCATA_MASTER_KEY: MASTER_KEY,
    GATEWAY_PORT: '0',
  });
  try {
    const [, port = ''] = await bundled.printed(/"port":(\d+)/);
    const get = () => localhostFetch(`http://acme.localhost:${port}/rest/v1/?openapi=3.1`);
    await expect.poll(async () => (await get()).status, { timeout: 20_000 }).toBe(200);
    const text = await (await get()).text();
    expect(JSON.parse(text)).toMatchObject({ openapi: '3.1.1' });
  } finally {
    bundled.kill('SIGTERM');
    expect(await bundled.ended).toBe(0);
    await stack.stop();
  }
});
