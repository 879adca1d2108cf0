import { parseInstallation, parseMove, parseTenant, parseTenantPage, type Tenant } from './admin-answers.ts';
import type { AdminClient } from './admin-client.ts';
import { type Journey, MoveState } from './journey.ts';
import { MoveError } from './move-error.ts';

/**
 * Checks both installations and notes the move at the first one, or finds it there.
 *
 * @throws {MoveError} for whatever stands in the way; nothing has been changed then
 */
export async function beginJourney(
  journey: Journey,
): Promise<{ state: MoveState; tenant: Tenant; isNew: boolean }> {
  const { options, from, to } = journey;
  const found = await from.find(`/v1/tenants/${options.tenant}`);
  if (found === undefined) {
    throw new MoveError('refused', `${from.origin} has no tenant '${options.tenant}'`);
  }
  const tenant = parseTenant(found);
  const [here, there] = await Promise.all(
    [from, to].map(async (client) => parseInstallation(await client.call('GET', '/v1/installation'))),
  );
  const gateway = options.gateway ?? there!.gateway_url ?? undefined;
  const known = await from.find(`/v1/tenants/${tenant.id}/move`);
  if (known !== undefined) {
    const move = parseMove(known);
    if (move.to === to.origin) return { state: new MoveState(from, tenant.id, move), tenant, isNew: false };
    throw new MoveError('conflict', `The tenant '${tenant.id}' is on its way to ${move.to}`, {
      hint: `npm run move -- --from ${from.origin} --to ${move.to} --tenant ${tenant.id} --undo gives that up`,
    });
  }
  if (there!.postgres_major < here!.postgres_major) {
    const versions = `PostgreSQL ${there!.postgres_major} there is older than ${here!.postgres_major} here`;
    throw new MoveError('refused', `The tenant cannot move to ${to.origin}: ${versions}`);
  }
  if (gateway === undefined) {
    throw new MoveError('usage', `${to.origin} does not say where its gateway is`, {
      hint: 'Give --gateway, or set gateway.publicUrl there',
    });
  }
  refusePlacelessVectors(journey, tenant);
  await refuseTaken(to, tenant);
  const move = parseMove(
    await from.call('POST', `/v1/tenants/${tenant.id}/move`, {
      body: {
        to: to.origin,
        gateway_url: gateway,
        ...(options.gatewayCa === undefined ? {} : { ca_certificate: options.gatewayCa }),
        ...(options.isPlainHttpAllowed ? { allow_plain_http: true } : {}),
      },
      isRepeatable: true,
    }),
  );
  return { state: new MoveState(from, tenant.id, move), tenant, isNew: true };
}

/** Told before anything is copied: a hydration would say so after all of it was sent. @throws {MoveError} `refused` */
function refusePlacelessVectors({ options, to }: Journey, tenant: Tenant): void {
  if (tenant.backends.vectors === undefined) return;
  const { backends } = options;
  if (typeof backends === 'object' && backends !== null && 'vectors' in backends) return;
  throw new MoveError('refused', `The tenant '${tenant.id}' has vectors, and nothing says where they go`, {
    hint: `Name the vector server of ${to.origin} in the file of --backends`,
  });
}

/** Before anything is copied. Hydrating looks again. @throws {MoveError} `conflict` */
async function refuseTaken(to: AdminClient, { id, hosts }: Tenant): Promise<void> {
  let after = '';
  for (;;) {
    const query = after === '' ? '' : `&after=${encodeURIComponent(after)}`;
    const { tenants, next } = parseTenantPage(await to.call('GET', `/v1/tenants?limit=1000${query}`));
    for (const other of tenants) {
      if (other.id === id) throw new MoveError('conflict', `${to.origin} has a tenant '${id}' already`);
      const host = other.hosts.find((one) => hosts.includes(one));
      if (host === undefined) continue;
      throw new MoveError(
        'conflict',
        `${to.origin} has the host '${host}' already, of the tenant '${other.id}'`,
      );
    }
    if (next === null) return;
    after = next;
  }
}
