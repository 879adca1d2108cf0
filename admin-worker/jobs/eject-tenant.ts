import type { ClientBase } from 'pg';
import type { Secret } from '../../gateway/registry/secrets.ts';
import { type Move, sealFor, unsealFor } from '../ejection/move.ts';
import { flipToRemote } from '../ejection/moving-status.ts';
import { preflight } from '../ejection/preflight.ts';
import { findTakenNames } from '../ejection/taken-names.ts';
import { atReplica, dropTargetPlace, makeTargetPlace, targetLogins } from '../ejection/target-place.ts';
import { findTenant } from '../tenants/tenant-record.ts';
import { type EjectTenantPayload, ejectTenantKind } from './eject-tenant-kind.ts';
import { type EjectContext, EjectState, findEjection } from './eject-tenant-state.ts';
import { type JobDefinition, JobError } from './job.ts';
import type { MoveRoute, Switch } from './move-state.ts';
import { moveSteps } from './move-steps.ts';
import { reportFindings, throwIfRefused } from './report-findings.ts';

const route: MoveRoute<EjectContext> = {
  find: findEjection,
  async isSwitched({ services, payload, jobId }) {
    const { rowCount } = await services.control.query(
      'SELECT FROM control.ejections WHERE tenant_id = $1 AND job_id = $2',
      [payload.tenantId, jobId],
    );
    return rowCount === 1;
  },
  makePlace,
  async dropPlace({ connect, state }, move) {
    if (!state.isPlaceBegun) return;
    await connect(move.target, (client) => dropTargetPlace(client, { move, schemas: state.schemas }));
  },
  ownerAtTarget: (context, move) => loginsOf(context, move).migrator,
  prepareSwitch,
};

/** Moves a tenant from our cluster to a database of its own, while its API stays up. docs/ejection.md tells the steps. */
export const ejectTenant: JobDefinition<EjectTenantPayload, EjectState> = {
  kind: ejectTenantKind,
  state: EjectState,
  steps: moveSteps(route, { check, cleanUp: async () => undefined }),
  async dryRun(context) {
    const findings = await preflight(await findEjection(context), replicaOf(context));
    throwIfRefused(findings);
    return findings.map(({ severity, object, text }) => `${severity}: ${object}: ${text}`);
  },
  result: ({ pauseMs, rows, tables }) => ({ write_pause_ms: pauseMs, tables, rows }),
};

async function check(context: EjectContext): Promise<void> {
  const { state, services, payload } = context;
  const tenant = await findTenant(services.control, payload.tenantId);
  if (tenant === undefined) throw new JobError(`There is no tenant '${payload.tenantId}'`);
  if (tenant.placement_kind === 'remote' || tenant.role_prefix === null) {
    throw new JobError(`The tenant '${tenant.id}' has a database of its own already`, {
      code: 'already_remote',
    });
  }
  if (tenant.status === 'moving') throw new JobError(`The tenant '${tenant.id}' is being moved already`);
  state.epoch = tenant.epoch;
  state.status = tenant.status;
  state.fromKind = tenant.placement_kind;
  state.fromDatabase = tenant.database_name;
  reportFindings(context, await preflight(await findEjection(context), replicaOf(context)));
}

/** As it was given. */
function replicaOf({ services, payload: { tenantId, sealedReplica } }: EjectContext): Secret | undefined {
  if (sealedReplica === null) return undefined;
  return unsealFor(services, tenantId, { field: 'replica', sealed: sealedReplica });
}

async function makePlace(context: EjectContext, move: Move): Promise<void> {
  const { connect, state } = context;
  const extensions = await connect(move.source, async (client) => {
    const { rows } = await client.query<{ name: string; version: string; schema: string }>(
      `SELECT e.extname AS name, e.extversion AS version, n.nspname AS schema
       FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname <> 'plpgsql' ORDER BY 1`,
    );
    return rows.map((row) => ({ ...row, isNeeded: false }));
  });
  await connect(move.target, async (client) => {
    await claimPlace(context, { client, move });
    await makeTargetPlace(client, {
      move,
      schemas: state.schemas,
      extensions,
      logins: loginsOf(context, move),
    });
  });
}

/**
 * Looks again, since a job may have waited for its runner for any time since its preflight: what is found there from now on is made anew, or taken back.
 *
 * @throws {JobError} `preflight`
 */
async function claimPlace(
  { state, checkpoint }: EjectContext,
  { client, move }: { readonly client: ClientBase; readonly move: Move },
): Promise<void> {
  if (state.isPlaceBegun) return;
  const { roles, schemas } = await findTakenNames(client, move, state.schemas);
  const taken = [...roles.map((name) => `the role ${name}`), ...schemas.map((name) => `the schema ${name}`)];
  if (taken.length > 0) {
    throw new JobError(`Somebody has made ${taken.join(', ')} at the new place since the preflight`, {
      code: 'preflight',
      hint: 'Use an empty database',
    });
  }
  state.isPlaceBegun = true;
  await checkpoint();
}

function loginsOf({ services, jobId }: EjectContext, move: Move) {
  return targetLogins(move, { masterKey: services.masterKey, jobId });
}

async function prepareSwitch(context: EjectContext, move: Move): Promise<Switch> {
  const { payload, state, services, jobId } = context;
  const { tenantId } = payload;
  const logins = loginsOf(context, move);
  const given = replicaOf(context);
  const replica = given === undefined ? undefined : atReplica(given, logins.requests);
  return (control) =>
    flipToRemote(control, services, {
      tenantId,
      epoch: state.epoch,
      status: state.status,
      remoteConnectionString: logins.requests.url.reveal(),
      readReplicaUrl: replica?.reveal(),
      caCertificate: payload.caCertificate ?? undefined,
      record: {
        jobId,
        mode: payload.mode,
        fromKind: state.fromKind,
        fromDatabase: state.fromDatabase,
        sealedTarget: payload.sealedTarget,
        sealedMigrator: sealFor(services, tenantId, {
          field: 'migrator',
          plain: logins.migrator.url.reveal(),
        }),
        keepDays: payload.keepDays,
      },
    });
}
