import type { PgBoss } from 'pg-boss';
import type { AdminServices } from '../tenants/admin-services.ts';
import type { Actor } from '../tenants/audit.ts';
import type { JobChanges } from './job-changes.ts';

/** What Hono's context carries. */
export interface AdminEnv {
  Variables: {
    requestId: string;
    /** Set once the request is authenticated. */
    actor: Actor;
  };
}

/** What the routes of the admin API work with. */
export interface ApiServices extends AdminServices {
  readonly boss: PgBoss;
  readonly jobChanges: JobChanges;
  /** Where others reach the gateway, as far as the operator has said so. */
  readonly gatewayUrl: string | undefined;
}
