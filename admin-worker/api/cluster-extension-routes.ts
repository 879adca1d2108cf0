import { type Context, Hono } from 'hono';
import { z } from 'zod';
import { catalogue } from '../catalogue/catalogue.ts';
import { EQUIVALENCES } from '../catalogue/equivalences.ts';
import { whyNoEngine } from '../containers/facilities.ts';
import { bundleRecords } from '../extensions/bundle-records.ts';
import { bringExtensionKind, collectPayloadsKind, rejudgeExtensionsKind } from '../jobs/extension-kinds.ts';
import { type AcceptedJob, acceptJob, JobOptions } from './accept-job.ts';
import type { AdminEnv, ApiServices } from './admin-env.ts';
import { AdminError } from './admin-error.ts';
import { entryView } from './extension-view.ts';
import { offered } from './offered-extension.ts';
import { readBody } from './read-body.ts';

/** Body of `POST /v1/extensions/collect` and `POST /v1/extensions/rejudge`; may be left out. */
export const ClusterExtensionsInput = z.strictObject(JobOptions);

/** Body of `POST /v1/extensions`. */
export const BringExtensionInput = z.strictObject({ name: z.string().min(1).max(63), ...JobOptions });

/** `/v1/extensions`: the catalogue, and what concerns the files of all tenants. */
export function clusterExtensionRoutes(services: ApiServices): Hono<AdminEnv> {
  const app = new Hono<AdminEnv>();

  app.get('/', async (c) => {
    const records = new Map((await bundleRecords(services.control)).map((record) => [record.bundle, record]));
    return c.json({
      extensions: catalogue().map((entry) => entryView(entry, records)),
      not_offered: EQUIVALENCES,
    });
  });

  app.post('/', async (c) => {
    const { name, ...options } = await readBody(c, BringExtensionInput);
    offered(name);
    return acceptJob(c, services, {
      kind: bringExtensionKind,
      payload: { name },
      options,
      audit: { action: 'extension.bring', after: { name } },
    });
  });

  app.post('/collect', (c) =>
    accept(c, services, {
      kind: collectPayloadsKind,
      payload: {},
      audit: { action: 'extensions.collect', after: {} },
    }),
  );

  app.post('/rejudge', (c) =>
    accept(c, services, {
      kind: rejudgeExtensionsKind,
      payload: { all: true },
      audit: { action: 'extensions.rejudge', after: {} },
    }),
  );

  return app;
}

async function accept<Payload extends object>(
  c: Context<AdminEnv>,
  services: ApiServices,
  job: Omit<AcceptedJob<Payload>, 'options'>,
): Promise<Response> {
  const options = await readBody(c, ClusterExtensionsInput);
  const why = await whyNoEngine(services.control);
  if (why !== undefined) throw noEngine('Files of extensions cannot be reached', why);
  return acceptJob(c, services, { ...job, options });
}

/** What takes a container engine, where no runner reaches one. */
export function noEngine(message: string, why: string): AdminError {
  return new AdminError('no_engine', `${message}, and no runner reaches a container engine: ${why}`, {
    hint: 'docs/phantom.md says how runners get one; everything else works without',
  });
}
