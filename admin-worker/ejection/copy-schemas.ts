import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { quoteIdent } from '../../gateway/platform/sql.ts';
import type { TenantServer } from '../connections.ts';
import { type JobContext, JobError } from '../jobs/job.ts';
import { findPostgresTools, missingTools, type PostgresTools } from '../postgres-tools/find-tools.ts';
import { libpqEnvironment } from '../postgres-tools/libpq-environment.ts';
import { runTool, ToolError } from '../postgres-tools/run-tool.ts';
import { FENCE_NAME } from './fence.ts';

export interface CopySpec {
  readonly source: TenantServer;
  /** Reached as a login that is a member of the owner and of nothing else: what the tenant's SQL does while it is restored, it does with its own rights. */
  readonly target: TenantServer;
  readonly owner: string;
  readonly schemas: readonly string[];
  /** `schema`: without rows. */
  readonly what: 'all' | 'schema';
  readonly sourceMajor: number;
}

/** Parallel connections of pg_restore: tables and indexes are written side by side. */
const RESTORE_JOBS = 2;

/**
 * Copies schemas from one server to another, where they exist and are empty, with pg_dump and pg_restore by way of a file in the temporary folder.
 *
 * @throws {JobError} when the programs are missing, or say that something cannot be copied
 */
export async function copySchemas(
  context: Pick<JobContext, 'jobId' | 'attempt' | 'signal' | 'log' | 'progress' | 'connect'>,
  spec: CopySpec,
): Promise<void> {
  const tools = await findPostgresTools(spec.sourceMajor);
  if (tools === undefined) throw new JobError(missingTools(spec.sourceMajor), { code: 'tools_missing' });
  const folder = await mkdtemp(join(tmpdir(), 'cascata-eject-'));
  try {
    await copyThrough(folder, { context, spec, tools });
  } catch (error) {
    if (!(error instanceof ToolError)) throw error;
    throw new JobError(`Copying failed: ${error.message}`, { details: error.lines.join('\n'), cause: error });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function copyThrough(
  folder: string,
  {
    context,
    spec,
    tools,
  }: { context: Parameters<typeof copySchemas>[0]; spec: CopySpec; tools: PostgresTools },
): Promise<void> {
  const { source, target, owner, schemas, what } = spec;
  // The name by which the next runner of this job finds connections of a program that outlived its own.
  const applicationName = `cascata-job ${context.jobId} ${context.attempt}`;
  const dumpFile = join(folder, 'dump');
  const listFile = join(folder, 'list');
  const [atSource, atTarget] = await Promise.all([
    libpqEnvironment(source, { folder, applicationName }),
    libpqEnvironment(target, { folder, applicationName }),
  ]);
  context.log(`pg_dump ${tools.major}: ${schemas.join(', ')}`);
  await runTool({
    program: tools.pgDump,
    args: [
      '--format=custom',
      '--compress=1',
      '--no-publications',
      '--no-subscriptions',
      '--no-tablespaces',
      '--no-security-labels',
      ...(what === 'schema' ? ['--schema-only'] : []),
      ...schemas.map((schema) => `--schema=${quoteIdent(schema)}`),
      `--file=${dumpFile}`,
    ],
    env: atSource,
    context,
  });
  const { size } = await stat(dumpFile);
  await context.progress(0.5, `${(size / 1_000_000).toFixed(1)} MB to restore`);
  const list = await runTool({ program: tools.pgRestore, args: ['--list', dumpFile], env: {}, context });
  await writeFile(listFile, withoutSchemasAndFence(list));
  // Opened as the login that restores: connections that an earlier run left behind are cut off by it.
  await context.connect(target, async () => undefined);
  await runTool({
    program: tools.pgRestore,
    args: [
      '--exit-on-error',
      '--no-owner',
      `--role=${owner}`,
      '--no-tablespaces',
      `--jobs=${RESTORE_JOBS}`,
      `--use-list=${listFile}`,
      `--dbname=${atTarget.PGDATABASE ?? ''}`,
      dumpFile,
    ],
    env: atTarget,
    context,
  });
}

/**
 * The schemas are there already, their owner may not create any; the fence belongs to the old place.
 *
 * @example '5; 2615 16385 SCHEMA - acme postgres'
 * @example '4107; 2620 16424 TRIGGER acme notes cascata_fence acme_owner'
 */
function withoutSchemasAndFence(list: string): string {
  const isLeftOut = (line: string) =>
    /^\d+; \d+ \d+ (?:SCHEMA|COMMENT) - (?:SCHEMA )?\S+ /.test(line) ||
    (/^\d+; \d+ \d+ TRIGGER /.test(line) && line.includes(` ${FENCE_NAME} `));
  return list
    .split('\n')
    .filter((line) => !isLeftOut(line))
    .join('\n');
}
