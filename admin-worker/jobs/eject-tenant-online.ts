import type { ClientBase } from 'pg';
import { quoteIdent } from '../../gateway/platform/sql.ts';
import type { Secret } from '../../gateway/registry/secrets.ts';
import type { TenantServer } from '../connections.ts';
import type { Ejection } from '../ejection/ejection.ts';
import { readContents, type TenantContents } from '../ejection/moving-tenant.ts';
import {
  publish,
  replicationName,
  replicationPassword,
  subscribe,
  subscriptionConnection,
  unpublish,
  unsubscribe,
  untilCaughtUp,
} from '../ejection/replication.ts';
import { type EjectContext, findEjection } from './eject-tenant-state.ts';

/** Copies the rows while writes go on, and follows them until little is left. */
export async function copyOnline(
  context: EjectContext,
  options: { readonly ejection: Ejection; readonly seenFromTarget: Secret; readonly migrator: TenantServer },
): Promise<void> {
  const { connect, jobId, services } = context;
  const { ejection, seenFromTarget, migrator } = options;
  const login = { name: replicationName(jobId), password: replicationPassword(services.masterKey, jobId) };
  await connect(ejection.source, (source) =>
    connect(ejection.target, async (target) => {
      const contents = await readContents(source, ejection.roles);
      await publish(source, { ...login, contents });
      const database: string = (await source.query('SELECT current_database() AS name')).rows[0].name;
      await subscribe(target, login.name, subscriptionConnection(seenFromTarget, login, database));
      await untilCaughtUp({ source, target }, { name: login.name, context });
      await connect(migrator, async (owner) => {
        await vacuum(owner, contents);
        for (const { schema, name } of contents.materializedViews) {
          await owner.query(`REFRESH MATERIALIZED VIEW ${quoteIdent(schema)}.${quoteIdent(name)}`);
        }
      });
      // Rows are counted by the index alone where no page has to be looked at: that is time of the pause.
      if (context.payload.verify === 'counts') await vacuum(source, contents);
      await untilCaughtUp({ source, target }, { name: login.name, context });
    }),
  );
}

/** Statistics for the planner as well: the first requests at the new place should not find a server that knows nothing. */
async function vacuum(client: ClientBase, { tables }: TenantContents): Promise<void> {
  for (const { schema, name } of tables.filter(({ isPartitioned }) => !isPartitioned)) {
    await client.query(`VACUUM (ANALYZE) ${quoteIdent(schema)}.${quoteIdent(name)}`);
  }
}

/** Takes away what following needs, on both sides. Does nothing where there is nothing. */
export async function stopCopying(context: EjectContext): Promise<void> {
  if (context.payload.mode === 'offline') return;
  const { ejection } = await findEjection(context);
  const name = replicationName(context.jobId);
  await context.connect(ejection.target, (client) => unsubscribe(client, name));
  await context.connect(ejection.source, (client) => unpublish(client, name));
}
