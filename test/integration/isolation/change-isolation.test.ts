import { afterAll, beforeAll, expect, test } from 'vitest';
import { bootstrap } from '../../../admin-worker/bootstrap.ts';
import { Secret } from '../../../gateway/registry/secrets.ts';
import { startTwoTenants, type TwoTenants } from './two-tenants.ts';

let tenants: TwoTenants;

beforeAll(async () => {
  tenants = await startTwoTenants();
});

afterAll(() => tenants?.stop());

const change = (isolation: string) =>
  tenants.admin.request('PATCH', `/v1/tenants/${tenants.victim}`, { body: { isolation } });

/** The way that the victim's requests take, once the gateway has heard of the change. */
async function expectSession(login: string): Promise<void> {
  await expect
    .poll(() => tenants.traces())
    .toMatchObject({ session: login, role: `${tenants.victim}_service_role`, rows: 1 });
}

const members = () =>
  tenants.admin.shared<{ role: string }>(
    `SELECT roleid::regrole::text AS role FROM pg_auth_members
     WHERE member = 'cascata_trusted'::regrole AND starts_with(roleid::regrole::text, $1) ORDER BY 1`,
    [tenants.victim],
  );
const executors = async () => {
  const rows = await tenants.admin.shared(
    `SELECT FROM pg_proc WHERE pronamespace = 'gate'::regnamespace AND proowner::regrole::text LIKE $1`,
    [`${tenants.victim}%`],
  );
  return rows.length;
};

test('a tenant goes from sealed to trusted and back, and each time the former way is closed', async () => {
  await expectSession('cascata_sealed');
  expect([await members(), await executors()]).toEqual([[], 6]);
  const trusted = await change('trusted');
  expect([trusted.status, trusted.body.tenant?.isolation]).toEqual([200, 'trusted']);
  expect(String(trusted.body.warnings)).toContain('can read and change every other trusted project');
  await expectSession('cascata_trusted');
  expect(await members()).toHaveLength(3);
  expect(await executors()).toBe(0);
  const sealed = await change('sealed');
  expect([sealed.status, sealed.body.tenant?.isolation]).toEqual([200, 'sealed']);
  expect(sealed.body).not.toHaveProperty('warnings');
  await expectSession('cascata_sealed');
  expect([await members(), await executors()]).toEqual([[], 6]);
});

test('what would run at COMMIT keeps a tenant from being sealed', async () => {
  await change('trusted');
  await expectSession('cascata_trusted');
  const job = await tenants.admin.migrate(
    tenants.victim,
    `CREATE FUNCTION public.nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
     CREATE CONSTRAINT TRIGGER late AFTER INSERT ON public.secrets DEFERRABLE FOR EACH ROW EXECUTE FUNCTION public.nothing();`,
  );
  expect(job.state).toBe('completed');
  const refused = await change('sealed');
  expect([refused.status, refused.body.message]).toEqual([
    409,
    `The tenant '${tenants.victim}' cannot be sealed: trigger late on secrets would run at COMMIT`,
  ]);
  expect(await executors()).toBe(0);
  await tenants.admin.migrate(tenants.victim, 'DROP TRIGGER late ON public.secrets');
  expect((await change('sealed')).status).toBe(200);
  await expectSession('cascata_sealed');
});

test('a tenant with a login of its own has nothing to seal', async () => {
  const id = tenants.admin.tenantId();
  const body = { id, hosts: [`${id}.localhost`], isolation: 'sealed', placement: { kind: 'database' } };
  const refused = await tenants.admin.request('POST', '/v1/tenants', { body });
  expect([refused.status, refused.body.message]).toEqual([
    400,
    'isolation is for tenants in the shared database',
  ]);
});

test('executors of another text or another master key are made anew when the worker starts', async () => {
  const { controlUrl, sharedDatabase, masterKey } = tenants.admin;
  const start = (key: Secret) =>
    bootstrap({ controlDatabaseUrl: new Secret(controlUrl), masterKey: key, sharedDatabase });
  await start(new Secret('another master key of 32 characters'));
  expect((await tenants.call(tenants.victim, '/secrets')).status).toBe(500);
  await start(masterKey);
  expect((await tenants.call(tenants.victim, '/secrets')).status).toBe(200);
});
