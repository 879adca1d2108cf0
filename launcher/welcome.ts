import { lookup } from 'node:dns/promises';
import type { DemoTenant } from './demo-tenants.ts';

export interface Welcome {
  readonly gatewayUrl: string;
  readonly gatewayPort: number;
  readonly adminUrl: string;
  /** Generated here, hence shown; `undefined` when the operator chose it. */
  readonly adminToken: string | undefined;
  readonly tenants: readonly DemoTenant[];
  /** Whether Node finds `*.localhost`; browsers and curl always do. */
  readonly resolvesLocalhostNames: boolean;
  readonly startedInMs: number;
}

const SAMPLE_QUERY: Readonly<Record<string, string>> = {
  acme: 'projects?select=name,todos(title,is_done)',
  globex: 'books?select=title,published,authors(name)',
};

/** The text printed once everything is ready. */
export function renderWelcome(welcome: Welcome): string {
  const { adminUrl, adminToken, startedInMs, tenants } = welcome;
  const lines = [
    '',
    `Cascata Edge is ready (${(startedInMs / 1000).toFixed(1)} s)`,
    '',
    `  gateway       ${welcome.gatewayUrl}`,
    `  admin worker  ${adminUrl}`,
  ];
  if (adminToken !== undefined) lines.push(`  ADMIN_TOKEN   ${adminToken}`);
  for (const tenant of tenants) lines.push('', ...renderTenant(tenant, welcome));
  const token = adminToken ?? '$ADMIN_TOKEN';
  lines.push(
    '',
    '  List the tenants:',
    `    curl -H 'Authorization: Bearer ${token}' ${adminUrl}/v1/tenants`,
  );
  lines.push('', '  Ctrl-C stops everything. With LOG_LEVEL=info every request is logged.', '');
  return lines.join('\n');
}

function renderTenant({ id, host, keys }: DemoTenant, welcome: Welcome): string[] {
  const url = `http://${host}:${welcome.gatewayPort}`;
  const query = SAMPLE_QUERY[id] ?? '';
  return [
    `  Tenant ${id}: ${url}`,
    `    anon          ${keys.anon}`,
    `    service_role  ${keys.service_role}`,
    `    publishable   ${keys.publishable}`,
    `    secret        ${keys.secret}`,
    '',
    `    curl -g '${url}/rest/v1/${query}' -H 'apikey: ${keys.publishable}'`,
    '',
    "    import { createClient } from '@supabase/supabase-js'",
    ...renderClient({ url, key: keys.publishable, host }, welcome),
    `    const { data, error } = await supabase.from('${query.split('?')[0]}').select()`,
  ];
}

/**
 * Where Node cannot resolve `*.localhost` (no nss-myhostname), the client has to name the tenant's host itself. fetch does not let it
 * set Host; the development configuration believes X-Forwarded-Host from this machine.
 */
function renderClient(
  { url, key, host }: { url: string; key: string; host: string },
  { gatewayUrl, resolvesLocalhostNames }: Welcome,
): string[] {
  if (resolvesLocalhostNames) return [`    const supabase = createClient('${url}', '${key}')`];
  return [
    `    const supabase = createClient('${gatewayUrl}', '${key}', {`,
    `      global: { headers: { 'X-Forwarded-Host': '${host}' } }, // this machine's Node does not resolve *.localhost; browsers do`,
    '    })',
  ];
}

/** Whether this machine's resolver, which Node asks, knows `name`. */
export async function isResolvable(name: string): Promise<boolean> {
  return await lookup(name).then(
    () => true,
    () => false,
  );
}
