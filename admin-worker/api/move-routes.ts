import { Hono } from 'hono';
import { z } from 'zod';
import { beginMove, giveUpMove } from '../moves/begin-move.ts';
import { endForward, forwardTenant } from '../moves/forward-tenant.ts';
import { freezeTenant, prolongFreeze, unfreezeTenant } from '../moves/freeze-tenant.ts';
import { moveView, requireTenantMove } from '../moves/tenant-move.ts';
import { CaCertificate } from '../tenants/tenant-input.ts';
import type { AdminEnv, ApiServices } from './admin-env.ts';
import { AdminError } from './admin-error.ts';
import { readBody, readQuery } from './read-body.ts';

const MAX_NOTES_LENGTH = 16_000;

const Origin = z
  .url({ protocol: /^https?$/ })
  .max(500)
  .refine((text) => /^https?:\/\/[^/?#@]+\/?$/.test(text), {
    error: 'is to be a scheme, a host and perhaps a port, such as https://gateway.example.com',
  })
  .transform((text) => new URL(text).origin);

/** Body of `POST /v1/tenants/:id/move`. */
export const MoveInput = z
  .strictObject({
    to: z
      .url({ protocol: /^https?$/ })
      .max(500)
      .describe('Admin API of the other installation: a name for it here'),
    gateway_url: Origin.describe(
      "Origin of the other installation's gateway, which requests will be forwarded to",
    ),
    ca_certificate: CaCertificate.nullish().describe(
      "Of that gateway's certificate; absent: those of the system",
    ),
    allow_plain_http: z
      .boolean()
      .default(false)
      .describe("http:// to a host that is not this machine: clients' tokens are readable on the way"),
  })
  .check(({ value, issues }) => {
    const url = new URL(value.gateway_url);
    if (url.protocol === 'https:' || value.allow_plain_http || isThisMachine(url.hostname)) return;
    const message = 'is not https; with "allow_plain_http": true tokens are sent as they are';
    issues.push({ code: 'custom', message, path: ['gateway_url'], input: value.gateway_url });
  });

/** Body of `PATCH /v1/tenants/:id/move`. */
export const MoveNotesInput = z.strictObject({
  notes: z
    .record(z.string().max(100), z.unknown())
    .refine((notes) => JSON.stringify(notes).length <= MAX_NOTES_LENGTH, {
      error: `is longer than ${MAX_NOTES_LENGTH} characters`,
    })
    .describe(
      'What whoever moves the tenant wants to find again; replaces what was there. No place for secrets',
    ),
});

/** Body of `POST /v1/tenants/:id/move/freeze`. */
export const FreezeInput = z.strictObject({
  lease_seconds: z.int().min(1).max(600).default(60).describe('Writes go on by themselves after this'),
  freeze: z.guid().optional().describe('Id of a freeze that is to last for so long from now'),
});

/** Body of `POST /v1/tenants/:id/move/forward`. */
export const ForwardInput = z.strictObject({
  freeze: z.guid().describe('Id of the freeze under which both sides were compared'),
});

/** Query of `DELETE /v1/tenants/:id/forward`. */
export const EndForwardQuery = z.strictObject({
  old_copy: z
    .enum(['keep', 'reopen'])
    .default('keep')
    .describe('reopen: it is the tenant again, without what was written at the other installation'),
  accept_data_loss: z.enum(['true', 'false']).default('false').describe('Has to be true for reopen'),
});

/** `/v1/tenants/:id/move`, `/v1/tenants/:id/forward` */
export function moveRoutes(services: ApiServices): Hono<AdminEnv> {
  const app = new Hono<AdminEnv>();

  app.post('/:id/move', async (c) => {
    const { to, gateway_url: gatewayUrl, ca_certificate: ca } = await readBody(c, MoveInput);
    const { move, isNew } = await beginMove(services, {
      id: c.req.param('id'),
      input: { to, gatewayUrl, caCertificate: ca ?? undefined },
      actor: c.get('actor'),
    });
    return c.json({ move: moveView(move) }, isNew ? 201 : 200);
  });

  app.get('/:id/move', async (c) =>
    c.json({ move: moveView(await requireTenantMove(services.control, c.req.param('id'))) }),
  );

  app.patch('/:id/move', async (c) => {
    const id = c.req.param('id');
    const { notes } = await readBody(c, MoveNotesInput);
    await services.control.query(
      'UPDATE control.moves SET notes = $2, updated_at = now() WHERE tenant_id = $1',
      [id, JSON.stringify(notes)],
    );
    return c.json({ move: moveView(await requireTenantMove(services.control, id)) });
  });

  app.delete('/:id/move', async (c) => {
    await giveUpMove(services, { id: c.req.param('id'), actor: c.get('actor') });
    return c.body(null, 204);
  });

  app.post('/:id/move/freeze', async (c) => {
    const { lease_seconds: leaseSeconds, freeze } = await readBody(c, FreezeInput);
    const id = c.req.param('id');
    const move =
      freeze === undefined
        ? await freezeTenant(services, { id, leaseSeconds, actor: c.get('actor') })
        : await prolongFreeze(services, { id, freeze, leaseSeconds });
    return c.json({ move: moveView(move) });
  });

  app.post('/:id/move/unfreeze', async (c) => {
    const move = await unfreezeTenant(services, { id: c.req.param('id'), actor: c.get('actor') });
    return c.json({ move: moveView(move) });
  });

  app.post('/:id/move/forward', async (c) => {
    const { freeze } = await readBody(c, ForwardInput);
    const move = await forwardTenant(services, { id: c.req.param('id'), freeze, actor: c.get('actor') });
    return c.json({ move: moveView(move) });
  });

  app.delete('/:id/forward', async (c) => {
    const { old_copy: oldCopy, accept_data_loss: accepted } = readQuery(c, EndForwardQuery);
    if (oldCopy === 'reopen' && accepted !== 'true') {
      throw new AdminError('invalid_request', 'What was written at the other installation is not here', {
        details: [
          { path: 'accept_data_loss', message: 'must be true to go back to the old copy all the same' },
        ],
      });
    }
    await endForward(services, { id: c.req.param('id'), oldCopy, actor: c.get('actor') });
    return c.body(null, 204);
  });

  return app;
}

function isThisMachine(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(hostname);
}
