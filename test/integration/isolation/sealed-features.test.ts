import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTwoTenants, type TwoTenants } from './two-tenants.ts';

let tenants: TwoTenants;

beforeAll(async () => {
  tenants = await startTwoTenants();
});

afterAll(() => tenants?.stop());

test('rows of a sealed tenant come as lines', async () => {
  const answer = await tenants.call(tenants.attacker, '/own', {
    headers: { accept: 'application/x-ndjson' },
  });
  expect([answer.status, answer.text]).toEqual([200, '{"id":1,"text":"own"}\n']);
});

test('a batch of a sealed tenant runs in one transaction, and a failure names its part', async () => {
  const insert = (id: number) => ({ method: 'POST', path: '/own', body: { id, text: 'new' } });
  const send = (...parts: readonly object[]) =>
    tenants.call(tenants.attacker, '/-/batch', { method: 'POST', body: JSON.stringify(parts) });
  const both = await send(insert(2), { method: 'GET', path: '/own?select=id&order=id' });
  expect([both.status, both.text]).toEqual([200, expect.stringContaining('[{"id":1}')]);
  expect(both.text).toContain('{"id":2}');
  const failed = await send(insert(3), insert(1));
  expect([failed.status, failed.json]).toEqual([409, expect.objectContaining({ code: '23505', index: 1 })]);
  const left = await tenants.call(tenants.attacker, '/own?select=id&order=id');
  expect(left.json).toEqual([{ id: 1 }, { id: 2 }]);
});
