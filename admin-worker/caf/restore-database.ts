import { quoteIdent } from '../../gateway/platform/sql.ts';
import type { Secret } from '../../gateway/registry/secrets.ts';
import { logicalSchema } from '../../gateway/registry/tenant.ts';
import { type JobContext, JobError } from '../jobs/job.ts';
import { logLines } from '../jobs/job-streams.ts';
import { databaseOf } from '../jobs/tenant-connection.ts';
import { type PostgresTools, requirePostgresTools } from '../postgres-tools/find-tools.ts';
import { NameTakenError } from '../provision/shared-tenant.ts';
import { type TenantRoles, tenantRoles } from '../provision/tenant-names.ts';
import { requestRolesText } from '../provision/tenant-objects.sql.ts';
import { dropHome, provisionHome } from '../tenants/tenant-home.ts';
import type { TenantRecord } from '../tenants/tenant-record.ts';
import { serverMajor } from './database-facts.ts';
import { provideExtensions } from './provide-extensions.ts';
import { restoreLargeObjects } from './restore-large-objects.ts';
import { runPgTool } from './run-pg-tool.ts';
import type { TenantArchive } from './tenant-archive.ts';
import { withTenantLogin } from './tenant-login.ts';
import { type UnpackedDump, unpackedDump } from './unpack-dump.ts';

export interface Restore {
  readonly tenant: TenantRecord;
  readonly archive: TenantArchive;
  /** Extensions beyond the trusted ones that may be made. */
  readonly extensions: readonly string[];
  /** Whether something of the tenant's names may have been made by this job: then it is dropped first, and undoing drops it. */
  readonly home: { readonly isBegun: boolean; setBegun(isBegun: boolean): Promise<void> };
}

/** Parallel connections of pg_restore: tables and indexes are written side by side. */
const RESTORE_JOBS = 2;
/** What is lost in a crash is not the tenant's yet: the registry's own commit, which opens it, waits for all that was written before. */
const RESTORE_SETTINGS = { synchronous_commit: 'off', maintenance_work_mem: '256MB' };
/** Where the rows begin to come in, as a share of the step. */
const PREPARED = 0.1;

/**
 * Makes the tenant's schemas or database and fills them, as the tenant's owner. What an earlier, interrupted run has left there is dropped
 * first: the tenant is this job's own.
 */
export async function restoreDatabase(context: JobContext, restore: Restore): Promise<void> {
  const dump = await unpackedDump(context, restore.archive);
  const tools = await dumpTools(context, restore.archive.content.postgres);
  await makeHome(context, restore);
  await fill(context, { ...restore, ...dump, tools });
}

async function makeHome(context: JobContext, { tenant, archive, home }: Restore): Promise<void> {
  const { services } = context;
  const { naming, content } = archive;
  const spec = { id: tenant.id, naming };
  await context.assertLease();
  if (home.isBegun) await dropHome(services, spec);
  await home.setBegun(true);
  try {
    const logicalSchemas = content.schemas.map((schema) => logicalSchema(naming, schema));
    await provisionHome(services, { ...spec, logicalSchemas, isolation: tenant.isolation });
  } catch (error) {
    if (!(error instanceof NameTakenError)) throw error;
    // What is there is somebody else's, and nothing was made.
    await home.setBegun(false);
    throw new JobError(`The archive cannot be hydrated: ${error.message}`, {
      code: 'conflict',
      cause: error,
    });
  }
}

/** @throws {JobError} when the server is older than the one the archive came from, or no tools can read the dump */
export async function dumpTools(
  context: JobContext,
  { major, dump_major }: { readonly major: number; readonly dump_major: number },
): Promise<PostgresTools> {
  const here = await context.connect(context.services.sharedDatabaseUrl, serverMajor);
  if (here < major) {
    throw new JobError(`The archive comes from PostgreSQL ${major}; the server here is ${here}`, {
      code: 'older-server',
      hint: `Hydrate it on a server of version ${major} or newer`,
    });
  }
  return requirePostgresTools(Math.max(here, dump_major));
}

interface Fill extends Restore, UnpackedDump {
  readonly tools: PostgresTools;
}

async function fill(context: JobContext, options: Fill): Promise<void> {
  const { tenant, archive, extensions, tools, dump, list } = options;
  const { content, naming } = archive;
  const adminUrl = databaseOf(context.services, tenant).url;
  const roles = tenantRoles(naming);
  const isShared = tenant.placement_kind === 'shared';
  await context.connect(adminUrl, async (admin) => {
    await provideExtensions(admin, { needed: content.extensions, allowed: extensions, isShared });
    await admin.query(bareSchemas(roles, content.schemas));
  });
  const login = { jobId: context.jobId, adminUrl, isShared, seesAllRows: false };
  await withTenantLogin({ ...login, roles: Object.values(roles) }, (url) =>
    context.connect(url, (client) => restoreLargeObjects(client, archive.file, Object.values(roles))),
  );
  await context.progress(PREPARED, 'restoring');
  await withTenantLogin({ ...login, roles: [roles.owner] }, (url) =>
    runPgTool(
      context,
      {
        tools,
        program: 'pg_restore',
        args: [
          `--dbname=${databaseNameIn(url)}`,
          `--role=${roles.owner}`,
          '--no-owner',
          '--no-tablespaces',
          `--jobs=${RESTORE_JOBS}`,
          '--exit-on-error',
          `--use-list=${list}`,
          '--verbose',
          dump,
        ],
        server: { url },
        settings: RESTORE_SETTINGS,
      },
      (output) => logLines(context, output),
    ),
  );
}

function databaseNameIn(url: Secret): string {
  return decodeURIComponent(new URL(url.reveal()).pathname.slice(1));
}

/**
 * Takes back what provisioning grants by default: a dump grants what is granted at its origin, on top of PostgreSQL's own defaults, and says nothing of
 * what is not.
 */
function bareSchemas(roles: TenantRoles, schemas: readonly string[]): string {
  const owner = quoteIdent(roles.owner);
  const requestRoles = requestRolesText(roles);
  return schemas
    .map((name) => {
      const schema = quoteIdent(name);
      const defaults = `ALTER DEFAULT PRIVILEGES FOR ROLE ${owner} IN SCHEMA ${schema} REVOKE ALL ON`;
      return `
        REVOKE ALL ON SCHEMA ${schema} FROM ${requestRoles};
        ${defaults} TABLES FROM ${requestRoles};
        ${defaults} SEQUENCES FROM ${requestRoles};
        ${defaults} ROUTINES FROM ${requestRoles};`;
    })
    .join('');
}
