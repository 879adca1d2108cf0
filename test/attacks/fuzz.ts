import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

/*
 * npm run fuzz -- --requests 100000 [--seed 1]
 * Requests of two tenants against a gateway, see fuzz.test.ts. The same seed makes the same requests.
 */
const { values } = parseArgs({
  options: { requests: { type: 'string', default: '2000' }, seed: { type: 'string' } },
});
const vitest = fileURLToPath(new URL('../../node_modules/vitest/vitest.mjs', import.meta.url));
const env = {
  ...process.env,
  FUZZ_REQUESTS: values.requests,
  ...(values.seed === undefined ? {} : { FUZZ_SEED: values.seed }),
};
const child = spawn(process.execPath, [vitest, 'run', '--project', 'attacks', 'test/attacks/fuzz.test.ts'], {
  env,
  stdio: 'inherit',
});
child.once('close', (code) => process.exit(code ?? 1));
