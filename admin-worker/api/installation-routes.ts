import { Hono } from 'hono';
import { serverMajor } from '../caf/database-facts.ts';
import { withPooled } from '../connections.ts';
import type { AdminEnv, ApiServices } from './admin-env.ts';

/** `/v1/installation`: what another installation, or who moves tenants there, has to know of this one. */
export function installationRoutes({ control, gatewayUrl }: ApiServices): Hono<AdminEnv> {
  const app = new Hono<AdminEnv>();
  app.get('/', async (c) => {
    const major = await withPooled(control, serverMajor);
    return c.json({ installation: { gateway_url: gatewayUrl ?? null, postgres_major: major } });
  });
  return app;
}
