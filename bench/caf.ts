import { createReadStream } from 'node:fs';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { fillSql } from './caf-fixture.ts';
import { type CafInstallation, startInstallation } from './caf-installation.ts';
import { shell, timed } from './caf-shell.ts';

/*
 * What an archive costs: `npm run bench:caf`. A tenant is exported from one installation and hydrated on another, and the same schema goes through `pg_dump` and `pg_restore`
 * alone, in turns: with `--compress=0`, which is all that they have to do to move it, and with their defaults, whose gzip makes a dump about as small as an archive. Both installations and
 * their servers are on this machine.
 */

const USAGE = `npm run bench:caf -- [options]
  --mb N        size of the tenant's tables (default 200)
  --rounds N    interleaved rounds (default 3)`;

const PASSPHRASE = 'a passphrase for the benchmark';
const TENANT = 'bench';

/** Milliseconds. */
interface Round {
  readonly dump: number;
  /** Compressed, as pg_dump does by itself. */
  readonly gzipDump: number;
  /** Of the dump that is not compressed. */
  readonly restore: number;
  readonly pipe: number;
  readonly gzipPipe: number;
  readonly export: number;
  readonly hydrate: number;
  /** Bytes of what was written. */
  readonly sizes: { readonly dump: number; readonly gzipDump: number; readonly archive: number };
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      mb: { type: 'string', default: '200' },
      rounds: { type: 'string', default: '3' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return print(USAGE);
  const directory = await mkdtemp(join(tmpdir(), 'cascata-bench-caf-'));
  const installations: CafInstallation[] = [];
  try {
    const origin = await startInstallation(join(directory, 'origin'));
    installations.push(origin);
    const target = await startInstallation(join(directory, 'target'));
    installations.push(target);
    await origin.call('POST', '/v1/tenants', { id: TENANT, hosts: [`${TENANT}.localhost`] });
    const { bytes } = await origin.fill(TENANT, fillSql(TENANT, Number(values.mb)));
    print(`tables of ${megabytes(bytes)}; load average ${loadavg()[0]?.toFixed(1)}`);
    const rounds: Round[] = [];
    for (let i = 0; i < Number(values.rounds); i++) {
      const round = await measure(directory, origin, target);
      rounds.push(round);
      print(
        `round ${i + 1}: ${Object.entries(round)
          .filter(([name]) => name !== 'sizes')
          .map(([name, ms]) => `${name} ${(ms / 1_000).toFixed(1)} s`)
          .join(', ')}; load average ${loadavg()[0]?.toFixed(1)}`,
      );
    }
    report(rounds, bytes, installations);
  } finally {
    for (const installation of installations) await installation.stop();
    await rm(directory, { recursive: true, force: true });
  }
}

async function measure(directory: string, origin: CafInstallation, target: CafInstallation): Promise<Round> {
  const file = join(directory, 'x.dump');
  const dumping = (options: string) =>
    `${origin.tool('pg_dump')} --format=custom ${options} --schema=${TENANT} '${origin.sharedUrl}'`;
  const restoring = (url: string) => `${target.tool('pg_restore')} --no-owner --no-acl --dbname='${url}'`;
  const gzipDump = await timed(() => shell(`${dumping('')} > ${file}`));
  const gzipSize = (await stat(file)).size;
  const dump = await timed(() => shell(`${dumping('--compress=0')} > ${file}`));
  const dumpSize = (await stat(file)).size;
  const restore = await target.inEmptyDatabase((url) => timed(() => shell(`${restoring(url)} ${file}`)));
  await rm(file);
  const piped = (options: string) =>
    target.inEmptyDatabase((url) => timed(() => shell(`${dumping(options)} | ${restoring(url)}`)));
  const pipe = await piped('--compress=0');
  const gzipPipe = await piped('');

  let jobId = '';
  const exported = await timed(async () => {
    jobId = await origin.job('POST', `/v1/tenants/${TENANT}/export`, { passphrase: PASSPHRASE });
  });
  const archive = join(directory, 'x.caf');
  const response = await origin.raw('GET', `/v1/jobs/${jobId}/archive`);
  await writeFile(archive, response.body ?? '');
  await origin.raw('DELETE', `/v1/jobs/${jobId}/archive`);
  const { size } = await stat(archive);
  const upload = await target.upload(createReadStream(archive, { highWaterMark: 16 * 1024 * 1024 }), size);
  await rm(archive);
  const hydrated = await timed(() => target.job('POST', '/v1/hydrate', { upload, passphrase: PASSPHRASE }));
  await target.raw('DELETE', `/v1/tenants/${TENANT}?confirm=${TENANT}`);
  const sizes = { dump: dumpSize, gzipDump: gzipSize, archive: size };
  return { dump, gzipDump, restore, pipe, gzipPipe, export: exported, hydrate: hydrated, sizes };
}

function report(rounds: readonly Round[], bytes: number, installations: readonly CafInstallation[]): void {
  const median = (pick: (round: Round) => number) =>
    rounds.map(pick).toSorted((a, b) => a - b)[Math.floor(rounds.length / 2)]!;
  const line = (name: string, pick: (round: Round) => number) =>
    print(
      `${name.padEnd(34)} ${(median(pick) / 1_000).toFixed(2).padStart(8)} s ${(bytes / 1_000 / median(pick)).toFixed(0).padStart(6)} MB/s`,
    );
  print(`\nmedian of ${rounds.length} interleaved rounds`);
  line('pg_dump --compress=0', (r) => r.dump);
  line('pg_dump', (r) => r.gzipDump);
  line('pg_restore', (r) => r.restore);
  line('pg_dump --compress=0 | pg_restore', (r) => r.pipe);
  line('pg_dump | pg_restore', (r) => r.gzipPipe);
  line('export', (r) => r.export);
  line('hydrate', (r) => r.hydrate);
  const [first] = rounds;
  if (first !== undefined) {
    const { dump, gzipDump, archive } = first.sizes;
    print(`dump of ${megabytes(dump)}, compressed ${megabytes(gzipDump)}, archive of ${megabytes(archive)}`);
  }
  const ratio = (name: string, pick: (round: Round) => number) =>
    print(`${name.padEnd(56)} ${median(pick).toFixed(2).padStart(8)} ×`);
  print('\nthroughput, against tools that do not compress');
  ratio('export : pg_dump --compress=0', (r) => r.dump / r.export);
  ratio('hydrate : pg_restore', (r) => r.restore / r.hydrate);
  ratio('export + hydrate : both tools', (r) => (r.dump + r.restore) / (r.export + r.hydrate));
  ratio('export + hydrate : pg_dump --compress=0 | pg_restore', (r) => r.pipe / (r.export + r.hydrate));
  print('throughput, against tools with their defaults, which compress');
  ratio('export : pg_dump', (r) => r.gzipDump / r.export);
  ratio('export + hydrate : pg_dump | pg_restore', (r) => r.gzipPipe / (r.export + r.hydrate));
  for (const { name, runnerPeakMb } of installations) {
    print(
      `${`peak memory of the runner, ${name}`.padEnd(34)} ${runnerPeakMb().toFixed(0).padStart(8)} MB (VmHWM)`,
    );
  }
}

function megabytes(bytes: number): string {
  return `${(bytes / 1_000_000).toFixed(0)} MB`;
}

await readFile('/proc/self/status').catch(() =>
  Promise.reject(new Error('this benchmark reads /proc: Linux only')),
);
await main();
