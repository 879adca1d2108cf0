import { describe, expect, test } from 'vitest';
import { parseApiRequest } from '../../../api-request/parse-api-request.ts';
import type { AuthResult } from '../../../auth/auth-result.ts';
import { TrustedRoleSwitch } from '../../../execute/role-switch/trusted.ts';
import type { DatabasePlan } from '../../../plan/action-plan.ts';
import { planAction } from '../../../plan/plan-action.ts';
import { buildMainQuery } from '../../../query/build-main-query.ts';
import { buildTransactionRequest } from '../../../query/build-transaction-request.ts';
import { TransactionContexts } from '../../../query/transaction-contexts.ts';
import type { Tenant } from '../../../registry/tenant.ts';
import type { SchemaCache } from '../../../schema-cache/schema-cache.ts';
import { aTenant } from '../../support/tenant-builder.ts';
import { CINEMA } from './cinema.ts';

const TENANT = aTenant();
const ANON: AuthResult = {
  role: 'anon',
  physicalRole: 'acme_anon',
  claimsJson: '{"role":"anon"}',
  isAuthenticated: false,
};

interface Asked {
  readonly line?: string;
  readonly body?: string;
  readonly tenant?: Tenant;
  readonly auth?: AuthResult;
  readonly cache?: SchemaCache;
  readonly statementTimeoutMs?: number;
}

/** Of one client: its headers are the same each time. */
function inputFor({
  line = 'GET /films?id=eq.1',
  body,
  tenant = TENANT,
  auth = ANON,
  cache = CINEMA,
  statementTimeoutMs = 1_000,
}: Asked) {
  const [method = '', target = ''] = line.split(' ');
  const [path = '', rawQuery = ''] = target.split('?');
  const bytes = body === undefined ? undefined : Buffer.from(body);
  const headers = { host: 'acme.localhost' };
  const request = parseApiRequest({ method, path, rawQuery, headers, body: bytes }, tenant.settings);
  const plan = planAction(request, cache, tenant.settings) as DatabasePlan;
  const query = buildMainQuery(plan, request, tenant);
  return { tenant, auth, request, plan, query, cache, statementTimeoutMs };
}

/** What is sent of them, and whether the settings were those of the request before. */
function settingsOf(asked: readonly Asked[]): readonly boolean[] {
  const contexts = new TransactionContexts();
  const roleSwitch = new TrustedRoleSwitch();
  const client = {};
  let before: unknown;
  return asked.map((one) => {
    const input = inputFor(one);
    const transaction = contexts.build(input, client);
    const { kept, ...sent } = transaction;
    expect(kept).toBeDefined();
    const { kept: _, ...expected } = buildTransactionRequest(input);
    expect(sent).toEqual(expected);
    const plan = roleSwitch.planBatch(transaction);
    const settings = plan.statements[plan.settings]!;
    const plain = roleSwitch.planBatch(expected);
    expect({ text: settings.text, values: settings.values }).toEqual(plain.statements[plain.settings]);
    const isSame = settings === before;
    before = settings;
    return isSame;
  });
}

test('the settings of a request are those of the last one, when nothing that they say has changed', () => {
  expect(settingsOf([{}, {}, { line: 'GET /films?id=eq.2' }, { line: 'GET /films?order=title' }])).toEqual([
    false,
    true,
    true,
    true,
  ]);
});

describe('a request is told apart that differs in', () => {
  const other = aTenant();
  const settings = { acme_anon: { statement_timeout: '2s' } };
  test.each<readonly [string, Asked]>([
    ['its tenant', { tenant: other }],
    ['its role', { auth: { ...ANON, physicalRole: 'acme_other' } }],
    ['its claims', { auth: { ...ANON, claimsJson: '{"role":"anon","sub":"1"}' } }],
    ['its path', { line: 'GET /directors?id=eq.1' }],
    ['its method', { line: 'HEAD /films?id=eq.1' }],
    ['its access mode', { line: 'PATCH /films?id=eq.1', body: '{"title":"x"}' }],
    ['its timeout', { statementTimeoutMs: 500 }],
    ["its role's settings", { cache: { ...CINEMA, roleSettings: new Map(Object.entries(settings)) } }],
  ])('%s', (_, asked) => {
    expect(settingsOf([{}, asked, asked, {}])).toEqual([false, false, true, false]);
  });
});

test('a client that takes turns between two things has both remembered', () => {
  const contexts = new TransactionContexts();
  const client = {};
  const [films, directors] = [inputFor({}), inputFor({ line: 'GET /directors?id=eq.1' })];
  const [first, second] = [contexts.build(films, client), contexts.build(directors, client)];
  expect(contexts.build(films, client).kept).toBe(first.kept);
  expect(contexts.build(directors, client).kept).toBe(second.kept);
});

test('another client has nothing of it, and one that is not known keeps nothing', () => {
  const contexts = new TransactionContexts();
  const { kept } = contexts.build(inputFor({}), {});
  expect(contexts.build(inputFor({}), {}).kept).not.toBe(kept);
  expect(contexts.build(inputFor({}), undefined).kept).toBeUndefined();
});
