import { subscribe } from 'node:diagnostics_channel';
import { flushCompileCache } from 'node:module';
import pg from 'pg';
import type { Observation } from '../../../gateway/platform/observation.ts';
import { Secret } from '../../../gateway/registry/secrets.ts';
import type { PhantomServices } from '../../containers/phantom-services.ts';
import { JOB_DEFINITIONS } from '../../runner/job-definitions.ts';
import { runRunnerProcess } from '../../runner/runner-process.ts';
import { TEST_JOBS } from './test-jobs.ts';

/*
 * A runner's process as production has it, with the test's kinds of jobs added, that kills itself where KILL_AT says:
 * `step-run b` (a step's event), `before COMMIT`, `after COMMIT` (a statement of a job's connection, by its beginning), or `answered PUT /bucket/` (a request over HTTP, by its beginning, once its answer has begun). With WAITS it loads everything and begins
 * when SIGUSR2 says so; with ONLY_KIND it works on jobs of this kind alone.
 */
const [when, ...rest] = (process.env.KILL_AT ?? '').split(' ');
const what = rest.join(' ');

/** SIGKILL: nothing of this process runs after it. */
function die(): never {
  process.kill(process.pid, 'SIGKILL');
  throw new Error('unreachable');
}

function observe(observation: Observation): void {
  if (observation.kind === 'job-changed' && observation.state === when && observation.step === what) die();
}

if (when === 'before' || when === 'after') {
  const { query } = pg.Client.prototype;
  const watched = async function (this: pg.Client, ...args: unknown[]): Promise<unknown> {
    const [first] = args;
    const isIt = typeof first === 'string' && first.startsWith(what);
    if (isIt && when === 'before') die();
    const result: unknown = await Reflect.apply(query, this, args);
    if (isIt) die();
    return result;
  };
  Object.assign(pg.Client.prototype, {
    // pg's own pool passes callbacks, which the connections of jobs never do.
    query(this: pg.Client, ...args: unknown[]): unknown {
      return Reflect.apply(isJobConnection(this) ? watched : query, this, args);
    },
  });
}

function isJobConnection(client: pg.Client): boolean {
  const name: unknown = Reflect.get(Reflect.get(client, 'connectionParameters'), 'application_name');
  return String(name).startsWith('cascata-job ');
}

if (when === 'answered') {
  const look = (message: unknown) => {
    const request: unknown = Object(message).request;
    const { method, path } = Object(request);
    if (`${method} ${path}`.startsWith(what)) die();
  };
  // Node's own client and undici.
  for (const channel of ['http.client.response.finish', 'undici:request:headers']) subscribe(channel, look);
}

// Whoever is killed keeps nothing; the next one is to start faster.
flushCompileCache();

if (process.env.WAITS === 'yes') {
  const { promise, resolve } = Promise.withResolvers<void>();
  // Signals alone keep no process alive.
  const alive = setInterval(() => undefined, 60_000);
  process.once('SIGUSR2', () => resolve());
  process.stdout.write('waits\n');
  await promise;
  clearInterval(alive);
}

const { ONLY_KIND } = process.env;
await runRunnerProcess({
  definitions: [...JOB_DEFINITIONS, ...TEST_JOBS].filter(
    ({ kind }) => ONLY_KIND === undefined || kind.name === ONLY_KIND,
  ),
  observe,
  ...(process.env.TEST_SHARED_DATABASE === undefined
    ? {}
    : { sharedDatabase: process.env.TEST_SHARED_DATABASE }),
  ...(process.env.TEST_PHANTOM === undefined ? {} : { phantom: await phantomOf(process.env.TEST_PHANTOM) }),
});

/** As JSON: what an installation has in its configuration. */
async function phantomOf(text: string): Promise<PhantomServices> {
  const { dockerodeEngine } = await import('../../containers/dockerode-engine.ts');
  const { engine, key, ...rest } = JSON.parse(text);
  return { ...rest, engine: dockerodeEngine(engine), key: new Secret(key) };
}
