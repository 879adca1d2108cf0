import { open, rename, rm } from 'node:fs/promises';
import { z } from 'zod';
import { ArchiveWriter } from '../archive/archive-writer.ts';
import { openBackends } from '../backends/backends.ts';
import { SECRETS_ENTRY, TENANT_ENTRY, type TenantContent } from '../caf/content.ts';
import { type DumpSource, withDumpSource } from '../caf/dump-source.ts';
import { writeFiles } from '../caf/files.ts';
import { dropReadingLogins } from '../caf/foreign-source.ts';
import { openPassphrase } from '../caf/passphrase.ts';
import { archivePath, makeRoomFor, workDir } from '../caf/places.ts';
import { readScheduledJobs } from '../caf/scheduled-jobs.ts';
import { type SecretsDocument, secretsDocument, tenantDocument } from '../caf/tenant-document.ts';
import { tryDump, writeDatabase } from '../caf/write-database.ts';
import { type MadeSnapshots, undoSnapshots, writeVectors } from '../caf/write-vectors.ts';
import { withPooled } from '../connections.ts';
import { asItWas } from '../moves/as-it-was.ts';
import { dropLoginsOf } from '../provision/migration-login.ts';
import { findTenant, type TenantRecord } from '../tenants/tenant-record.ts';
import { type ExportCafPayload, exportCafKind } from './export-caf-kind.ts';
import { type JobContext, type JobDefinition, JobError } from './job.ts';

const ExportCafState = z.object({
  archive: z
    .object({
      id: z.string(),
      size: z.number(),
      sha256: z.string(),
      tables: z.number(),
      signed_by: z.string().nullable().default(null),
      /** What a tenant that was not made here has beside it, in its database or by it, one sentence each. */
      absent: z.array(z.string()).default([]),
      /** How long files and vectors took. */
      contents_seconds: z.number().default(0),
    })
    .optional(),
  /** On the vector server, to be deleted there. */
  snapshots: z.array(z.object({ collection: z.string(), name: z.string() })).default([]),
});
type ExportCafState = z.output<typeof ExportCafState>;
type Context = JobContext<ExportCafPayload, ExportCafState>;

/** Writes a tenant into one archive below `DATA_DIR/archives`, where `GET /v1/jobs/:id/archive` finds it. */
export const exportCaf: JobDefinition<ExportCafPayload, ExportCafState> = {
  kind: exportCafKind,
  state: ExportCafState,
  steps: [
    {
      name: 'write',
      weight: 20,
      run: write,
      undo: takeBack,
    },
    {
      name: 'publish',
      async run({ services, jobId, assertLease }) {
        await assertLease();
        const target = archivePath(services.dataDir, jobId);
        await rename(partialPath(services.dataDir, jobId), target).catch(async (error: unknown) => {
          // Done by a run that was killed before it could say so.
          await (await open(target, 'r').catch(() => Promise.reject(error))).close();
        });
        await rm(workDir(services.dataDir, jobId), { recursive: true, force: true });
      },
      undo: ({ services, jobId }) => rm(archivePath(services.dataDir, jobId), { force: true }),
    },
  ],
  async dryRun(context) {
    const tenant = await exportable(context);
    return withDumpSource(context, tenant, async (source) => {
      const { major, tools, schemas } = await tryDump(context, { tenant, source });
      return [
        `The tenant '${tenant.id}' would be written into an archive with pg_dump ${tools.major} from PostgreSQL ${major}, schemas ${schemas.join(', ')}`,
        ...absentFrom(source).map((what) => `It would be without: ${what}`),
      ];
    });
  },
  result: ({ archive }) => ({ archive }),
};

function partialPath(dataDir: string, jobId: string): string {
  return `${archivePath(dataDir, jobId)}.partial`;
}

async function exportable({ services, payload }: Context): Promise<TenantRecord> {
  const tenant = await findTenant(services.control, payload.tenantId);
  if (tenant === undefined) throw new JobError(`There is no tenant '${payload.tenantId}'`);
  return asItWas(services.control, tenant);
}

function snapshotsOf(context: Context): MadeSnapshots {
  const { state } = context;
  return {
    get list() {
      return state.snapshots;
    },
    async keep(list) {
      state.snapshots = [...list];
      await context.checkpoint();
    },
  };
}

async function takeBack(context: Context): Promise<void> {
  const { services, payload, jobId } = context;
  await rm(partialPath(services.dataDir, jobId), { force: true });
  await rm(workDir(services.dataDir, jobId), { recursive: true, force: true });
  await withPooled(services.shared, (client) => dropLoginsOf(client, jobId));
  const tenant = await findTenant(services.control, payload.tenantId);
  if (tenant === undefined) return;
  await dropReadingLogins(context, tenant);
  const { vectors } = openBackends(tenant, { tenantId: tenant.id, masterKey: services.masterKey });
  await undoSnapshots(context, { place: vectors, snapshots: snapshotsOf(context) });
}

async function write(context: Context): Promise<void> {
  const { services, payload, jobId, state } = context;
  const { control, masterKey, dataDir } = services;
  const tenant = await exportable(context);
  const passphrase = openPassphrase(payload.sealedPassphrase, masterKey);
  const path = partialPath(dataDir, jobId);
  await makeRoomFor(path);
  const file = await open(path, 'w+', 0o600);
  const writer = ArchiveWriter.onFile(file, {
    tenant: tenant.id,
    passphrase,
    createdAt: new Date(),
    producer: 'cascata-edge',
    signer: services.archives.signer,
  });
  try {
    const document = await tenantDocument(control, tenant);
    const secrets = await secretsDocument(control, tenant, masterKey);
    const { database, scheduled, absent } = await withDumpSource(context, tenant, async (source) => {
      const found = await readScheduledJobs(context, tenant, source);
      return {
        database: await writeDatabase(context, { tenant, source, writer }),
        scheduled: found,
        absent: [...absentFrom(source), ...found.absent],
      };
    });
    await writer.add(TENANT_ENTRY, [Buffer.from(JSON.stringify(document))]);
    const sealed: SecretsDocument = { ...secrets, scheduled_jobs: [...scheduled.jobs] };
    await writer.addSealed(SECRETS_ENTRY, Buffer.from(JSON.stringify(sealed)));
    const backends = openBackends(tenant, { tenantId: tenant.id, masterKey });
    const { leaveOut } = payload;
    const since = performance.now();
    const files = leaveOut.includes('files')
      ? ({ storage: 'none' } as const)
      : await writeFiles(context, { tenantId: tenant.id, place: backends.storage, writer });
    const vectors = await writeVectors(context, {
      place: leaveOut.includes('vectors') ? undefined : backends.vectors,
      writer,
      snapshots: snapshotsOf(context),
    });
    const contents_seconds = (performance.now() - since) / 1_000;
    const content: TenantContent = {
      kind: 'tenant',
      ...database,
      postgres: { ...database.postgres, pg_cron: scheduled.pg_cron },
      ...files,
      ...vectors,
      scheduled_jobs: scheduled.jobs.length,
      ...(absent.length === 0 ? {} : { absent }),
    };
    const digest = await writer.finish(content);
    const signed_by = services.archives.signer?.publicKey ?? null;
    state.archive = { ...digest, tables: database.tables.length, signed_by, absent, contents_seconds };
    context.log(`${digest.size} bytes, ${database.tables.length} tables, sha256 ${digest.sha256}`);
  } finally {
    await writer.close();
    await file.close();
  }
}

function absentFrom({ foreign }: DumpSource): readonly string[] {
  return (foreign?.findings ?? []).map(({ object, text }) => `${object}: ${text}`);
}
