import { createHmac } from 'node:crypto';
import { z } from 'zod';
import { openBackends } from '../backends/backends.ts';
import { CollectionContent, FilesContent } from '../caf/content.ts';
import { digestContents } from '../caf/digest-contents.ts';
import { digestDefinitions, digestLargeObjects, digestSequences } from '../caf/digest-database.ts';
import { reading, schemasOf, withDumpSource } from '../caf/dump-source.ts';
import { dropReadingLogins } from '../caf/foreign-source.ts';
import { openPassphrase } from '../caf/passphrase.ts';
import { digestTables, TableDigest } from '../caf/table-digests.ts';
import { secretsDocument, tenantDocument } from '../caf/tenant-document.ts';
import { withPooled } from '../connections.ts';
import { asItWas } from '../moves/as-it-was.ts';
import { dropLoginsOf } from '../provision/migration-login.ts';
import { findTenant, type TenantRecord } from '../tenants/tenant-record.ts';
import { type DigestTenantPayload, digestTenantKind } from './digest-tenant-kind.ts';
import { type JobContext, type JobDefinition, JobError } from './job.ts';

const DigestTenantState = z.object({
  /** Of what is defined in the database: comparable on one server. */
  definitions: z.string().optional(),
  tables: z.array(TableDigest).optional(),
  sequences: z.string().optional(),
  large_objects: z.string().optional(),
  files: FilesContent.optional(),
  collections: z.array(CollectionContent).optional(),
  /** How long files and vectors took. */
  contents_seconds: z.number().optional(),
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
      async undo(context) {
        const { services, payload, jobId } = context;
        await withPooled(services.shared, (client) => dropLoginsOf(client, jobId));
        const tenant = await findTenant(services.control, payload.tenantId);
        if (tenant !== undefined) await dropReadingLogins(context, tenant);
      },
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
  return asItWas(services.control, tenant);
}

async function read(context: Context): Promise<void> {
  const { services, payload, state } = context;
  const tenant = await readable(context);
  await readDatabase(context, tenant);
  if (payload.what === 'definitions') return;
  const { masterKey } = services;
  const backends = openBackends(tenant, { tenantId: tenant.id, masterKey });
  const since = performance.now();
  const contents = await digestContents(context, { tenantId: tenant.id, backends });
  state.contents_seconds = (performance.now() - since) / 1_000;
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
  const { payload, state } = context;
  await withDumpSource(context, tenant, async (source) => {
    await reading(context, source, async (client) => {
      const schemas = await schemasOf(client, tenant, source);
      state.definitions = await digestDefinitions(client, schemas);
      if (payload.what === 'definitions') return;
      state.sequences = await digestSequences(client, schemas);
      state.tables = [
        ...(await digestTables(client, { schemas }, (share, name) => context.progress(share, name))),
      ];
      if (source.objects !== undefined) return;
      state.large_objects = await digestLargeObjects(client, source.names);
    });
    if (payload.what === 'definitions' || source.objects === undefined) return;
    const { objects: server, names } = source;
    await reading(context, { server, role: undefined }, async (client) => {
      state.large_objects = await digestLargeObjects(client, names);
    });
  });
}
