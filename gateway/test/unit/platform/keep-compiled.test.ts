import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';

const run = promisify(execFile);
const MODULE = fileURLToPath(new URL('../../../platform/keep-compiled.ts', import.meta.url));

/** Whether a function is still compiled when all objects that it was compiled for are gone, and the process was at rest for a while. */
async function staysCompiled(beginning: string): Promise<boolean> {
  const { stdout } = await run(process.execPath, [
    // A compilation under way in another thread keeps the forms that it is for.
    ...['--expose-gc', '--allow-natives-syntax', '--no-concurrent-recompilation'],
    ...['--input-type=module', '--eval'],
    `${beginning}
     const read = (one) => one.first + one.second;
     const make = (first) => {
       const one = {};
       one.first = first;
       one.second = 1;
       return one;
     };
     const serve = () => {
       for (let i = 0; i < 1_000; i++) read(make(i));
     };
     for (const each of [read, make, serve]) %PrepareFunctionForOptimization(each);
     serve();
     %OptimizeFunctionOnNextCall(read);
     serve();
     const IS_OPTIMIZED = 1 << 4;
     const before = %GetOptimizationStatus(read) & IS_OPTIMIZED;
     for (let i = 0; i < 10; i++) gc();
     console.log(before !== 0, (%GetOptimizationStatus(read) & IS_OPTIMIZED) !== 0);`,
  ]);
  const [before, after] = stdout.trim().split(' ');
  expect(before).toBe('true');
  return after === 'true';
}

describe('keepCompiledCode', () => {
  test('code outlives the objects that it was compiled for', async () => {
    const kept = await staysCompiled(
      `import { keepCompiledCode } from ${JSON.stringify(MODULE)}; keepCompiledCode();`,
    );
    expect(kept).toBe(true);
  });

  test('which it does not by itself: else there is nothing left to do here', async () => {
    expect(await staysCompiled('')).toBe(false);
  });
});
