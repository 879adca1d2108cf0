import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { LoadJob } from './load-generator.ts';
import type { Scenario } from './scenarios.ts';
import type { Target } from './targets.ts';

/** What the clients saw in one measurement. */
export interface LoadResult {
  readonly requests: number;
  readonly seconds: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Answers that were not 2xx, and broken connections. */
  readonly failures: number;
}

export interface LoadOptions {
  readonly target: Target;
  readonly scenario: Scenario;
  readonly seconds: number;
  readonly connections: number;
  /** For files. */
  readonly directory: string;
}

export type LoadGenerator = (options: LoadOptions) => Promise<LoadResult>;

const run = promisify(execFile);

/** `wrk` where it is installed, else a generator of our own; both in a process of their own. */
export async function chooseLoadGenerator(): Promise<{
  readonly name: string;
  readonly generate: LoadGenerator;
}> {
  // It prints its version and ends with status 1.
  const hasWrk = await run('wrk', ['--version']).catch(
    (error: unknown) => error instanceof Error && 'stdout' in error && String(error.stdout).startsWith('wrk'),
  );
  return hasWrk === false
    ? { name: 'built-in', generate: generateWithNode }
    : { name: 'wrk', generate: generateWithWrk };
}

async function generateWithWrk({
  target,
  scenario,
  seconds,
  connections,
  directory,
}: LoadOptions): Promise<LoadResult> {
  const script = join(directory, 'wrk.lua');
  await writeFile(script, wrkScript(target, scenario));
  const { stdout } = await run('wrk', [
    ...['-t', '1', '-c', String(connections), '-d', `${seconds}s`, '-s', script],
    `http://127.0.0.1:${target.port}`,
  ]);
  return parseLoadResult(stdout.slice(stdout.indexOf('{"requests"')));
}

function wrkScript({ prefix, host }: Target, { method, headers, requests }: Scenario): string {
  const asked = requests.map(
    ({ path, headers: own = {}, host: asked = host, body }) =>
      `{ path = ${luaString(prefix + path)}, headers = ${luaTable({ ...own, Host: asked })}, body = ${body === undefined ? 'nil' : luaString(body)} }`,
  );
  // `Host` is written like this, or wrk adds a second one of its own.
  return `
wrk.method = "${method}"
local common = ${luaTable(headers)}
local asked = { ${asked.join(', ')} }
local requests, turn = {}, 0
function init(args)
  for i, one in ipairs(asked) do
    local all = {}
    for name, value in pairs(common) do all[name] = value end
    for name, value in pairs(one.headers) do all[name] = value end
    requests[i] = wrk.format(nil, one.path, all, one.body)
  end
end
function request()
  turn = turn % #requests + 1
  return requests[turn]
end
function done(summary, latency)
  local errors = summary.errors
  io.write(string.format('{"requests":%d,"seconds":%f,"p50Ms":%f,"p99Ms":%f,"failures":%d}\\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    errors.status + errors.connect + errors.read + errors.write + errors.timeout))
end
`;
}

function luaTable(record: Readonly<Record<string, string>>): string {
  const entries = Object.entries(record).map(([name, value]) => `[${luaString(name)}] = ${luaString(value)}`);
  return `{ ${entries.join(', ')} }`;
}

function luaString(text: string): string {
  return `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
}

async function generateWithNode({
  target,
  scenario,
  seconds,
  connections,
  directory,
}: LoadOptions): Promise<LoadResult> {
  const { method, headers, requests } = scenario;
  const job: LoadJob = {
    port: target.port,
    seconds,
    connections,
    requests: requests.map(({ path, headers: own, host = target.host, body }) => ({
      method,
      path: target.prefix + path,
      headers: { ...headers, ...own, host },
      body,
    })),
  };
  const entry = fileURLToPath(new URL('./load-generator.ts', import.meta.url));
  const file = join(directory, 'load.json');
  await writeFile(file, JSON.stringify(job));
  const { stdout } = await run(process.execPath, [entry, file]);
  return parseLoadResult(stdout);
}

function parseLoadResult(text: string): LoadResult {
  const result: LoadResult = JSON.parse(text);
  return result;
}
