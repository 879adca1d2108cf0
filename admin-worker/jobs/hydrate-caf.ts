import { mkdir, rm, stat, statfs } from 'node:fs/promises';
import { z } from 'zod';
import type { Isolation } from '../../gateway/registry/tenant.ts';
import type { ArchiveFile } from '../archive/archive-file.ts';
import type { BackendsInput } from '../backends/backend-input.ts';
import { givenBackends } from '../backends/backends.ts';
import { checkExtensions } from '../caf/check-extensions.ts';
import { compareDatabase } from '../caf/compare-database.ts';
import { DUMP_ENTRY, STORAGE_PREFIX } from '../caf/content.ts';
import { deleteContents } from '../caf/delete-contents.ts';
import { judgeRestored } from '../caf/judge-restored.ts';
import { keptKeys } from '../caf/kept-keys.ts';
import { openPassphrase, openSealedBackends } from '../caf/passphrase.ts';
import { uploadPath, workDir } from '../caf/places.ts';
import { missingExtensions } from '../caf/provide-extensions.ts';
import { refused } from '../caf/refused.ts';
import { refuseConflicts, registerTenant } from '../caf/register-tenant.ts';
import {
  type Contents,
  checkContents,
  dropContents,
  dropJournal,
  restoreContents,
} from '../caf/restore-contents.ts';
import { dumpTools, restoreDatabase } from '../caf/restore-database.ts';
import { refuseForeignObjects } from '../caf/restore-large-objects.ts';
import { checkScheduledJobs, restoreScheduledJobs } from '../caf/scheduled-jobs.ts';
import { type TenantArchive, withTenantArchive } from '../caf/tenant-archive.ts';
import type { TenantDocument } from '../caf/tenant-document.ts';
import { unpackDump } from '../caf/unpack-dump.ts';
import { withPooled } from '../connections.ts';
import { dropLoginsOf } from '../provision/migration-login.ts';
import { tenantRoles } from '../provision/tenant-names.ts';
import { trySettleScheduledJobs } from '../tenants/resting-jobs.ts';
import { dropHome } from '../tenants/tenant-home.ts';
import { findTenant, namingOf, type TenantRecord } from '../tenants/tenant-record.ts';
import { bringMissing, stopBringing } from './bring-missing.ts';
import { type HydrateCafPayload, hydrateCafKind } from './hydrate-caf-kind.ts';
import { type JobContext, type JobDefinition, JobError } from './job.ts';

const HydrateCafState = z.object({
  /** Something of the tenant's names may have been made in the cluster, by this job. */
  isHomeBegun: z.boolean().default(false),
  /** What is there was found to be somebody else's. */
  isHomeTaken: z.boolean().default(false),
  tables: z.number().default(0),
  /** How long files and vectors took. */
  contents_seconds: z.number().default(0),
  /** The tenant's files, in its directory or store, are this job's, or are about to be. */
  hasFiles: z.boolean().default(false),
  /** Collections of the vector server that are this job's, or are about to be. */
  collections: z.array(z.string()).default([]),
  /** Extensions whose files are brought before anything is made, and the jobs that do it. */
  missing: z.array(z.string()).default([]),
  bringing: z.record(z.string(), z.string()).default({}),
  /** From `verify` to `restore`. */
  sealedKeys: z.string().nullable().default(null),
  /** What the tenant's status was at its origin. */
  status: z.enum(['active', 'suspended']).default('suspended'),
});
export type HydrateCafState = z.output<typeof HydrateCafState>;
type Context = JobContext<HydrateCafPayload, HydrateCafState>;

/** Makes a tenant out of an archive: all of it, or nothing. */
export const hydrateCaf: JobDefinition<HydrateCafPayload, HydrateCafState> = {
  kind: hydrateCafKind,
  state: HydrateCafState,
  steps: [
    { name: 'verify', weight: 4, run: (context) => verify(context, { isDumpKept: true }), undo: dropWork },
    { name: 'extensions', weight: 2, run: bringMissing, undo: stopBringing },
    { name: 'restore', weight: 14, run: restore, undo: takeBack },
    { name: 'open', run: openTenant, isPointOfNoReturn: true },
    {
      name: 'clean up',
      async run(context) {
        const { services, payload } = context;
        await dropJournal(context);
        await dropWork(context);
        await rm(uploadPath(services.dataDir, payload.uploadId), { force: true });
      },
    },
  ],
  async dryRun(context) {
    await verify(context, { isDumpKept: false });
    return withUpload(context, async ({ document, content }) => [
      `The tenant '${context.payload.tenantId}' (${document.placement}) would be made with the hosts ${hostsOf(context, document).join(', ')}`,
      `${content.tables.length} tables would be restored, made by PostgreSQL ${content.postgres.major}`,
      ...context.state.missing.map((name) => `The files of the extension ${name} would be brought first`),
    ]);
  },
  result: ({ tables, contents_seconds }) => ({ tables, contents_seconds }),
};

function withUpload<T>(context: Context, use: (archive: TenantArchive) => Promise<T>): Promise<T> {
  const { services, payload, signal, state } = context;
  const passphrase = openPassphrase(payload.sealedPassphrase, services.masterKey);
  const { trustedKeys } = services.archives;
  return withTenantArchive(
    uploadPath(services.dataDir, payload.uploadId),
    { passphrase, signal, trustedKeys, openKeys: keptKeys(state, services.masterKey) },
    use,
  );
}

function hostsOf({ payload }: Context, document: { readonly hosts: readonly string[] }): readonly string[] {
  return payload.hosts ?? document.hosts;
}

/** As the request gave them. */
function backendsOf({ payload, services }: Context): BackendsInput {
  return openSealedBackends(payload.sealedBackends, services.masterKey);
}

function contentsOf(context: Context, archive: TenantArchive) {
  const { tenantId, leaveOut } = context.payload;
  return { tenantId, archive, backends: givenBackends(backendsOf(context)), leaveOut };
}

function jobsOf({ payload }: Context, { secrets }: TenantArchive) {
  return payload.leaveOut.includes('scheduled_jobs') ? [] : secrets.scheduled_jobs;
}

function registrationOf(context: Context, archive: TenantArchive) {
  const { payload, services, jobId } = context;
  return {
    archive,
    tenantId: payload.tenantId,
    hosts: hostsOf(context, archive.document),
    backends: backendsOf(context),
    jobId,
    masterKey: services.masterKey,
    isolation: isolationOf(archive.document, payload.isolation),
    replaces: payload.replaces,
  };
}

/** @throws {JobError} `trusted-isolation`: an archive cannot give itself the trust of an operator */
function isolationOf({ placement, isolation }: TenantDocument, wanted: Isolation | null): Isolation {
  if (placement !== 'shared') return 'trusted';
  if (wanted !== null) return wanted;
  if (isolation === 'sealed') return 'sealed';
  throw refused(
    'trusted-isolation',
    'its tenant was trusted at its origin: its SQL could reach all other trusted tenants here',
    'Ask again with "isolation": "sealed", or "trusted" if you know who wrote its SQL',
  );
}

/** Everything that can be known before anything is touched. The dump is unpacked on the way. */
async function verify(context: Context, { isDumpKept }: { readonly isDumpKept: boolean }): Promise<void> {
  const { services, payload, log } = context;
  const path = uploadPath(services.dataDir, payload.uploadId);
  await withUpload(context, async (archive) => {
    const { file, content, document } = archive;
    refuseForeignObjects(file, Object.values(tenantRoles(archive.naming)));
    if (payload.replaces !== null) refuseContents(archive);
    await dumpTools(context, content.postgres);
    const isShared = document.placement === 'shared';
    const extensions = { needed: content.extensions, allowed: payload.extensions, isShared };
    context.state.missing = [...(await checkExtensions(context, extensions))];
    await checkContents(context, contentsOf(context, archive));
    await checkScheduledJobs(context, jobsOf(context, archive));
    const registration = registrationOf(context, archive);
    await withPooled(services.control, (client) => refuseConflicts(client, registration));
    await withPooled(services.shared, (client) =>
      missingExtensions(client, {
        ...extensions,
        needed: content.extensions.filter(({ name }) => !context.state.missing.includes(name)),
      }),
    );
    await refuseFullDisk(services.dataDir, bytesOnDisk(file, contentsOf(context, archive)));
    let bytes = 0;
    const total = file.entries.reduce((sum, { size }) => sum + size, 0);
    const onBytes = async (count: number) => {
      bytes += count;
      await context.progress(bytes / total, 'unpacking and checking');
    };
    await unpackDump(context, { archive, isKept: isDumpKept, onBytes });
    await file.verify({ except: DUMP_ENTRY, onBytes });
    const { size } = await stat(path);
    log(
      `${size} bytes are what they should be: the tenant '${document.id}', ${content.tables.length} tables`,
    );
  });
}

/** What the replaced tenant has stays: there is no saying which of two files is meant. @throws {JobError} `conflict` */
function refuseContents({ content }: TenantArchive): void {
  if (content.storage === 'none' && content.collections.length === 0) return;
  throw new JobError('The archive holds files or vectors, and those of the tenant that it replaces stay', {
    code: 'conflict',
    hint: 'Export it with "leave_out": ["files", "vectors"]',
  });
}

/** The dump, and the files that go into a local directory: they lie in DATA_DIR together. */
function bytesOnDisk({ entries }: ArchiveFile, { backends, leaveOut }: Contents): number {
  const hasLocalFiles = backends.storage === undefined && !leaveOut.includes('files');
  return entries
    .filter(({ name }) => name === DUMP_ENTRY || (hasLocalFiles && name.startsWith(STORAGE_PREFIX)))
    .reduce((sum, { size }) => sum + size, 0);
}

async function refuseFullDisk(directory: string, neededBytes: number): Promise<void> {
  await mkdir(directory, { recursive: true });
  const { bavail, bsize } = await statfs(directory);
  if (bavail * bsize > neededBytes) return;
  throw new JobError(`DATA_DIR has ${bavail * bsize} bytes left, and unpacking takes ${neededBytes}`, {
    code: 'disk-full',
  });
}

/** The tenant that this job has made, and no other of its id. */
async function ownTenant({ services, payload, jobId }: Context): Promise<TenantRecord | undefined> {
  const { rowCount } = await services.control.query(
    'SELECT FROM control.tenants WHERE id = $1 AND hydrated_by = $2',
    [payload.tenantId, jobId],
  );
  return rowCount === 1 ? findTenant(services.control, payload.tenantId) : undefined;
}

async function restore(context: Context): Promise<void> {
  const { services, state, payload } = context;
  await withUpload(context, async (archive) => {
    await context.connect(services.controlDatabaseUrl, async (control) => {
      await control.query('BEGIN');
      await registerTenant(control, registrationOf(context, archive));
      await control.query('COMMIT');
    });
    const tenant = await ownTenant(context);
    if (tenant === undefined) throw new JobError(`The tenant '${payload.tenantId}' was deleted meanwhile`);
    // Of one that was replaced all is this job's now.
    state.isHomeBegun ||= payload.replaces !== null && !state.isHomeTaken;
    await restoreDatabase(context, {
      archive,
      tenant,
      extensions: payload.extensions,
      home: {
        isBegun: state.isHomeBegun,
        async setBegun(isBegun) {
          state.isHomeBegun = isBegun;
          state.isHomeTaken = !isBegun;
          await context.checkpoint();
        },
      },
    });
    await judgeRestored(context, { tenant, archive });
    state.tables = await compareDatabase(context, { tenant, archive });
    const since = performance.now();
    await restoreContents(context, { ...contentsOf(context, archive), begun: state });
    state.contents_seconds = (performance.now() - since) / 1_000;
    await restoreScheduledJobs(context, { tenant, jobs: jobsOf(context, archive) });
    state.status = payload.status ?? archive.document.status;
    state.sealedKeys = null;
  });
}

async function openTenant({ connect, services, payload, jobId, state }: Context): Promise<void> {
  await connect(services.controlDatabaseUrl, (control) =>
    control.query(
      'UPDATE control.tenants SET status = $3, updated_at = now() WHERE id = $1 AND hydrated_by = $2',
      [payload.tenantId, jobId, state.status],
    ),
  );
  await trySettleScheduledJobs(services, payload.tenantId);
  await services.pgbouncer?.sync();
}

function dropWork({ services, jobId, state }: Context): Promise<void> {
  state.sealedKeys = null;
  return rm(workDir(services.dataDir, jobId), { recursive: true, force: true });
}

/** The tenant is in the registry until its home is gone: whoever finds it there knows whose that is. */
async function takeBack(context: Context): Promise<void> {
  const { services, payload, state, jobId } = context;
  const tenant = await ownTenant(context);
  if (tenant === undefined) return;
  const backends = givenBackends(backendsOf(context));
  const isReplacing = payload.replaces !== null;
  if (isReplacing) await deleteContents(services, { tenantId: tenant.id, backends, signal: context.signal });
  else await dropContents(context, { tenantId: tenant.id, backends, begun: state });
  if (state.isHomeBegun || (isReplacing && !state.isHomeTaken))
    await dropHome(services, { id: tenant.id, naming: namingOf(tenant) });
  await withPooled(services.shared, (client) => dropLoginsOf(client, jobId));
  await services.control.query('DELETE FROM control.tenants WHERE id = $1 AND hydrated_by = $2', [
    payload.tenantId,
    jobId,
  ]);
}
