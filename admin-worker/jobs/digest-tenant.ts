import { createHmac } from 'node:crypto';
import { z } from 'zod';
import { openBackends } from '../backends/backends.ts';
import { CollectionContent, FilesContent } from '../caf/content.ts';
import { ownedSchemas } from '../caf/database-facts.ts';
import { digestContents } from '../caf/digest-contents.ts';
import { digestDefinitions, digestLargeObjects, digestSequences } from '../caf/digest-database.ts';
import { openPassphrase } from '../caf/passphrase.ts';
import { DIGEST_SETTINGS, digestTables, TableDigest } from '../caf/table-digests.ts';
import { secretsDocument, tenantDocument } from '../caf/tenant-document.ts';
import { withTenantLogin } from '../caf/tenant-login.ts';
import { withPooled } from '../connections.ts';
import { asItWas } from '../moves/as-it-was.ts';
import { dropLoginsOf } from '../provision/migration-login.ts';
import { tenantRoles } from '../provision/tenant-names.ts';
import { findTenant, namingOf, type TenantRecord } from '../tenants/tenant-record.ts';
import { type DigestTenantPayload, digestTenantKind } from './digest-tenant-kind.ts';
import { type JobContext, type JobDefinition, JobError } from './job.ts';
import { databaseOf } from './tenant-connection.ts';

const DigestTenantState = z.object({
  /** Of what is defined in the database: comparable on one server. */
  definitions: z.string().optional(),
  tables: z.array(TableDigest).optional(),
  sequences: z.string().optional(),
  large_objects: z.string().optional(),
  files: FilesContent.optional(),
  collections: z.array(CollectionContent).optional(),
  /** Settings, hosts, limits, migrations, keys; keyed with the passphrase. */
  registry: z.string().optional(),
});
type DigestTenantState = z.output<typeof DigestTenantState>;
type Context = JobContext<DigestTenantPayload, DigestTenantState>;

/** Hashes of everything that an archive of the tenant would hold, each of which is the same for the same content wherever it is. */
export const digestTenant: JobDefinition<DigestTenantPayload, DigestTenantState> = {
  kind: digestTenantKind,
  state: DigestTenantState,
  steps: [
    {
      name: 'read',
      run: read,
      undo: ({ services, jobId }) => withPooled(services.shared, (client) => dropLoginsOf(client, jobId)),
    },
  ],
  async dryRun(context) {
    const tenant = await readable(context);
    return [`What the tenant '${tenant.id}' holds would be read, and hashed`];
  },
  result: (state) => ({ ...state }),
};

async function readable({ services, payload }: Context): Promise<TenantRecord> {
  const tenant = await findTenant(services.control, payload.tenantId);
  if (tenant === undefined) throw new JobError(`There is no tenant '${payload.tenantId}'`);
  if (tenant.placement_kind === 'remote') throw new JobError(`The tenant '${tenant.id}' is remote`);
  return asItWas(services.control, tenant);
}

async function read(context: Context): Promise<void> {
  const { services, payload, state } = context;
  const tenant = await readable(context);
  await readDatabase(context, tenant);
  if (payload.what === 'definitions') return;
  const { masterKey } = services;
  const backends = openBackends(tenant, { tenantId: tenant.id, masterKey });
  const contents = await digestContents(context, { tenantId: tenant.id, backends });
  state.files = contents.files;
  state.collections = [...contents.collections];
  const document = await tenantDocument(services.control, tenant);
  const secrets = await secretsDocument(services.control, tenant, services.masterKey);
  // The status is not the tenant's own: a copy is made suspended.
  const { status: _, ...rest } = document;
  state.registry = createHmac('sha256', openPassphrase(payload.sealedPassphrase, services.masterKey).reveal())
    .update(JSON.stringify([rest, secrets]))
    .digest('hex');
}

async function readDatabase(context: Context, tenant: TenantRecord): Promise<void> {
  const { services, payload, state } = context;
  const naming = namingOf(tenant);
  const roles = tenantRoles(naming);
  const all = Object.values(roles);
  const adminUrl = databaseOf(services, tenant).url;
  const isShared = tenant.placement_kind === 'shared';
  await withTenantLogin({ jobId: context.jobId, adminUrl, isShared, roles: all, seesAllRows: true }, (url) =>
    context.connect(url, async (client) => {
      await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
      await client.query(DIGEST_SETTINGS);
      const schemas = await ownedSchemas(client, roles.owner);
      state.definitions = await digestDefinitions(client, schemas);
      if (payload.what === 'definitions') return;
      state.sequences = await digestSequences(client, schemas);
      state.large_objects = await digestLargeObjects(client, all);
      state.tables = [
        ...(await digestTables(client, { schemas }, (share, name) => context.progress(share, name))),
      ];
    }),
  );
}
