import { parseArgs } from 'node:util';
import { readLauncherConfig } from '../../gateway/platform/config.ts';
import { ReportedError } from '../reported-error.ts';
import { pinImages } from './pin-images.ts';
import { pinsFile } from './pinned-images.ts';

/** Entry of `npm run pin-images`. Ends with 0 when all is pinned, with 1 when something could not be, and with `--check` also when a tag has moved. */
async function main(): Promise<number> {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: { check: { type: 'boolean', default: false } },
  });
  const { dataDir } = await readLauncherConfig();
  const { lines, problems, hasChanged } = await pinImages({
    dataDir,
    wishes: positionals,
    isCheck: values.check,
  });
  for (const line of lines) process.stdout.write(`${line}\n`);
  for (const problem of problems) process.stderr.write(`${problem}\n`);
  if (!values.check && lines.length > 0)
    process.stdout.write(`${hasChanged ? 'written' : 'nothing to write'}: ${pinsFile(dataDir)}\n`);
  return problems.length > 0 || (values.check && hasChanged) ? 1 : 0;
}

try {
  process.exitCode = await main();
} catch (error) {
  if (!(error instanceof ReportedError || error instanceof TypeError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}
