import type { ClientBase } from 'pg';
import { quoteIdent } from '../../gateway/platform/sql.ts';
import type { TenantServer } from '../connections.ts';
import { copySchemas } from '../ejection/copy-schemas.ts';
import { type Move, unsealFor } from '../ejection/move.ts';
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
import type { JobContext } from './job.ts';
import type { MovePayload, MoveRoute, MoveState } from './move-state.ts';

type Context = JobContext<MovePayload, MoveState>;

/** Copies all there is; online without the rows, which replication carries over and follows until little is left. */
export async function copyTenant<C extends Context>(context: C, route: MoveRoute<C>): Promise<void> {
  const { payload, state, connect } = context;
  const move = await route.find(context);
  const { source, roles } = move;
  const owner = route.ownerAtTarget(context, move);
  const sourceMajor = await connect(source, async (client) => {
    const { rows } = await client.query<{ version: string }>(
      "SELECT current_setting('server_version_num') AS version",
    );
    return Math.floor(Number(rows[0]?.version) / 10_000);
  });
  // A run before this one may have come some way.
  await stopCopying(context, route);
  await route.makePlace(context, move);
  const { schemas } = state;
  const what = payload.mode === 'offline' ? 'all' : 'schema';
  await copySchemas(context, { source, target: owner, owner: roles.owner, schemas, what, sourceMajor });
  await route.inspectCopy?.(context, move);
  if (payload.mode === 'offline') await connect(owner, (client) => client.query('ANALYZE'));
  else await copyOnline(context, { move, owner });
}

/** Copies the rows while writes go on, and follows them until little is left. */
async function copyOnline(
  context: Context,
  { move, owner }: { readonly move: Move; readonly owner: TenantServer },
): Promise<void> {
  const { connect, jobId, services, payload } = context;
  const login = { name: replicationName(jobId), password: replicationPassword(services.masterKey, jobId) };
  const { sealedSource, tenantId } = payload;
  const seenFromTarget =
    sealedSource === null
      ? move.source
      : {
          ...move.source,
          url: unsealFor(services, tenantId, { field: 'source', sealed: sealedSource }),
        };
  await connect(move.source, (source) =>
    connect(move.target, async (target) => {
      const contents = await readContents(source, move.roles);
      await publish(source, { ...login, contents });
      const database: string = (await source.query('SELECT current_database() AS name')).rows[0].name;
      const connection = await subscriptionConnection(seenFromTarget, login, database);
      await subscribe(target, { name: login.name, connection, schemas: contents.schemas });
      await untilCaughtUp({ source, target }, { name: login.name, context });
      await connect(owner, async (client) => {
        await vacuum(client, contents);
        for (const { schema, name } of contents.materializedViews) {
          await client.query(`REFRESH MATERIALIZED VIEW ${quoteIdent(schema)}.${quoteIdent(name)}`);
        }
      });
      // With nothing left to do there, autovacuum does not hold the tables when they are to be closed.
      await vacuum(source, contents);
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
export async function stopCopying<C extends Context>(context: C, route: MoveRoute<C>): Promise<void> {
  if (context.payload.mode === 'offline') return;
  const move = await route.find(context);
  const name = replicationName(context.jobId);
  await context.connect(move.target, (client) => unsubscribe(client, name));
  await context.connect(move.source, (client) => unpublish(client, name));
}
