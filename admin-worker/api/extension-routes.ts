import { type Context, Hono } from 'hono';
import { z } from 'zod';
import { catalogue, findEntry } from '../catalogue/catalogue.ts';
import { sqlStateOf, withClient } from '../connections.ts';
import { whyNoEngine } from '../containers/facilities.ts';
import { claimsOf } from '../extensions/claims.ts';
import { availableExtensions, installedExtensions } from '../extensions/extension-sql.ts';
import { problemOfPlacement } from '../extensions/extension-target.ts';
import { injectExtensionKind, withdrawExtensionKind } from '../jobs/extension-kinds.ts';
import { databaseOf } from '../jobs/tenant-connection.ts';
import { refuseAway } from '../tenants/refuse-away.ts';
import { findTenant, type TenantRecord } from '../tenants/tenant-record.ts';
import { tenantNotFound } from '../tenants/update-tenant.ts';
import { acceptJob, JobOptions } from './accept-job.ts';
import type { AdminEnv, ApiServices } from './admin-env.ts';
import { AdminError } from './admin-error.ts';
import { noEngine } from './cluster-extension-routes.ts';
import { tenantExtensionView } from './extension-view.ts';
import { offered } from './offered-extension.ts';
import { readBody } from './read-body.ts';

const Name = z.string().regex(/^[a-z][a-z0-9_-]{0,62}$/, {
  error: 'must be the name of an extension: lower-case letters, digits, _ and -',
});
const Version = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$/, { error: 'must be a version such as 1.6' });

/** Body of `POST /v1/tenants/:id/extensions`. */
export const ExtensionInput = z
  .strictObject({
    name: Name,
    version: Version.optional(),
    upgrade: z
      .boolean()
      .default(false)
      .describe('Bring one that is installed to the newest version that the pinned image or the server has'),
    ...JobOptions,
  })
  .refine(({ version, upgrade }) => version === undefined || !upgrade, {
    path: ['upgrade'],
    error: 'is for when no version is named',
  });

/** Body of `DELETE /v1/tenants/:id/extensions/:name`; may be left out. */
export const WithdrawExtensionInput = z.strictObject({
  cascade: z.boolean().default(false).describe('Drop what depends on it as well'),
  ...JobOptions,
});

/** `/v1/tenants/:id/extensions` */
export function extensionRoutes(services: ApiServices): Hono<AdminEnv> {
  const app = new Hono<AdminEnv>();

  app.get('/:id/extensions', async (c) => {
    const tenant = await tenantOf(services, c.req.param('id'));
    const { installed, available } = await looked(services, tenant);
    const claims = await claimsOf(services.control, tenant.id);
    const has = new Map(installed.map((extension) => [extension.name, extension]));
    const can = new Map(available.map((extension) => [extension.name, extension]));
    return c.json({
      extensions: catalogue().map((entry) =>
        tenantExtensionView(entry, {
          tenant,
          installed: has.get(entry.name),
          available: can.get(entry.name),
          isRequested: claims.has(entry.name),
        }),
      ),
    });
  });

  app.post('/:id/extensions', async (c) => {
    const { name, version, upgrade, ...options } = await readBody(c, ExtensionInput);
    const tenant = await allowed(services, { id: c.req.param('id'), name });
    await requireFiles(services, { tenant, name });
    return acceptJob(c, services, {
      kind: injectExtensionKind,
      payload: {
        tenantId: tenant.id,
        name,
        isOnCluster: tenant.placement_kind !== 'remote',
        ...(version === undefined ? {} : { version }),
        ...(upgrade ? { isUpgrade: true } : {}),
      },
      options,
      audit: {
        action: 'extension.inject',
        after: { name, version: version ?? null, ...(upgrade ? { upgrade } : {}) },
      },
    });
  });

  app.delete('/:id/extensions/:name', async (c) => withdraw(c, services, c.req.param()));

  return app;
}

async function withdraw(
  c: Context<AdminEnv>,
  services: ApiServices,
  { id, name }: { id: string; name: string },
): Promise<Response> {
  const { cascade, ...options } = await readBody(c, WithdrawExtensionInput);
  const tenant = await allowed(services, { id, name });
  return acceptJob(c, services, {
    kind: withdrawExtensionKind,
    payload: { tenantId: id, name, cascade, isOnCluster: tenant.placement_kind !== 'remote' },
    options,
    audit: { action: 'extension.withdraw', after: { name, cascade } },
  });
}

async function tenantOf(services: ApiServices, id: string): Promise<TenantRecord> {
  const tenant = await findTenant(services.control, id);
  if (tenant === undefined) throw tenantNotFound(id);
  return tenant;
}

/** What can be refused before there is a job is refused. @throws {AdminError} */
async function allowed(
  services: ApiServices,
  { id, name }: { id: string; name: string },
): Promise<TenantRecord> {
  const tenant = await tenantOf(services, id);
  const entry = offered(name);
  const problem = problemOfPlacement(entry, tenant);
  if (problem !== undefined)
    throw new AdminError('invalid_request', problem, { details: [{ path: 'name', message: problem }] });
  refuseAway(tenant);
  return tenant;
}

/** What nobody can bring is refused before there is a job. @throws {AdminError} `no_engine` */
async function requireFiles(
  services: ApiServices,
  { tenant, name }: { tenant: TenantRecord; name: string },
): Promise<void> {
  const isBrought = findEntry(name)?.source.kind === 'bundle' && tenant.placement_kind !== 'remote';
  if (!isBrought) return;
  const why = await whyNoEngine(services.control);
  if (why === undefined) return;
  const { rowCount } = await services.shared.query(
    'SELECT FROM pg_catalog.pg_available_extensions WHERE name = $1',
    [name],
  );
  if (rowCount === 0) throw noEngine(`The server does not have the files of '${name}'`, why);
}

const CONNECT_TIMEOUT_MS = 3_000;

async function looked(services: ApiServices, tenant: TenantRecord) {
  const server = databaseOf(services, tenant);
  try {
    return await withClient(
      { ...server, applicationName: 'cascata-extensions', connectTimeoutMs: CONNECT_TIMEOUT_MS },
      async (client) => {
        await client.query(`SET statement_timeout = ${CONNECT_TIMEOUT_MS}`);
        return {
          installed: await installedExtensions(client),
          available: await availableExtensions(
            client,
            catalogue().map(({ name }) => name),
          ),
        };
      },
    );
  } catch (cause) {
    if (tenant.placement_kind !== 'remote' && sqlStateOf(cause) === undefined) throw cause;
    // Words of a driver or of a foreign server may name hosts and users.
    throw new AdminError('unreachable', `The database of '${tenant.id}' could not be asked`, { cause });
  }
}
