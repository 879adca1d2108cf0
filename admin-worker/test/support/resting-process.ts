import pg from 'pg';
import { Secret } from '../../../gateway/registry/secrets.ts';
import { freezeTenant, unfreezeTenant } from '../../moves/freeze-tenant.ts';
import { openAdminServices } from '../../open-services.ts';
import { updateTenant } from '../../tenants/update-tenant.ts';

/*
 * What the admin API does to have a tenant rest or go on (ACTION), in a process of its own that kills itself at a statement about scheduled jobs: `KILL_AT=after UPDATE cron.job`.
 */
const {
  ACTION,
  TENANT: id = '',
  KILL_AT = '',
  TEST_SHARED_DATABASE: sharedDatabase = '',
  DATA_DIR: dataDir = '',
} = process.env;
const [when, ...rest] = KILL_AT.split(' ');
const what = rest.join(' ');
const actor = { fingerprint: 'test', address: undefined };

/** SIGKILL: nothing of this process runs after it. */
function die(): void {
  process.kill(process.pid, 'SIGKILL');
}

const { query } = pg.Client.prototype;
Object.assign(pg.Client.prototype, {
  query(this: pg.Client, ...args: unknown[]): unknown {
    const isIt = typeof args[0] === 'string' && args[0].startsWith(what);
    if (isIt && when === 'before') die();
    const result: unknown = Reflect.apply(query, this, args);
    return isIt ? Promise.resolve(result).then(die) : result;
  },
});

const services = openAdminServices({
  process: 'admin-api',
  controlDatabaseUrl: new Secret(process.env.CONTROL_DATABASE_URL ?? ''),
  masterKey: new Secret(process.env.CASCATA_MASTER_KEY ?? ''),
  sharedDatabase,
  dataDir,
  remotes: { allowedNetworks: [] },
  observe: () => undefined,
});
const actions = {
  freeze: () => freezeTenant(services, { id, leaseSeconds: 1, actor }),
  unfreeze: () => unfreezeTenant(services, { id, actor }),
  suspend: () => updateTenant(services, { id, input: { status: 'suspended' }, actor }),
  activate: () => updateTenant(services, { id, input: { status: 'active' }, actor }),
};
await actions[ACTION as keyof typeof actions]();
await services.close();
