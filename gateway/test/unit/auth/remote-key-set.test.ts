import { expect, test } from 'vitest';
import { RemoteKeySet } from '../../../auth/remote-key-set.ts';

const ONE = '{"keys":[{"kty":"RSA","n":"AAAA","e":"AQAB","kid":"one"}]}';
const TWO = '{"keys":[{"kty":"RSA","n":"AAAA","e":"AQAB","kid":"two"}]}';

function aRemote(answers: (string | Error)[]) {
  const clock = { now: 1_000_000 };
  const fetched: string[] = [];
  const remote = new RemoteKeySet('https://example.com/jwks', {
    now: () => clock.now,
    fetchText: async (url) => {
      fetched.push(url);
      const answer = answers.shift() ?? new Error('no more answers');
      if (answer instanceof Error) throw answer;
      return answer;
    },
  });
  return { remote, clock, fetched };
}

test('a set is fetched once for all who wait, and then kept', async () => {
  const { remote, fetched } = aRemote([ONE]);
  const [a, b] = await Promise.all([remote.get(), remote.get()]);
  expect(a).toBe(b);
  expect(remote.get()).toBe(a);
  expect(fetched).toHaveLength(1);
});

test('an old set serves while a new one is fetched in the background', async () => {
  const { remote, clock, fetched } = aRemote([ONE, TWO]);
  const old = await remote.get();
  clock.now += 11 * 60_000;
  expect(remote.get()).toBe(old);
  await new Promise(setImmediate);
  expect(fetched).toHaveLength(2);
  expect(await remote.get()).not.toBe(old);
});

test('the same text keeps the same set', async () => {
  const { remote, clock } = aRemote([ONE, ONE]);
  const old = await remote.get();
  clock.now += 60_000;
  expect(await remote.refresh()).toBe(old);
});

test('unknown keys cause one fetch in thirty seconds', async () => {
  const { remote, clock, fetched } = aRemote([ONE, TWO]);
  await remote.get();
  expect(await remote.refresh()).toBeUndefined();
  clock.now += 31_000;
  expect((await remote.refresh())?.keys[0]?.kid).toBe('two');
  expect(await remote.refresh()).toBeUndefined();
  expect(fetched).toHaveLength(2);
});

test('a URL that does not answer is GW109, and is not asked again at once', async () => {
  const { remote, clock, fetched } = aRemote([new Error('down'), ONE]);
  await expect(remote.get()).rejects.toMatchObject({ code: 'GW109', status: 503 });
  expect(() => remote.get()).toThrow(expect.objectContaining({ code: 'GW109' }));
  expect(fetched).toHaveLength(1);
  clock.now += 3_000;
  expect((await remote.get()).keys).toHaveLength(1);
});

test('a set that is no JSON does not replace a good one', async () => {
  const { remote, clock } = aRemote([ONE, 'oops']);
  const good = await remote.get();
  clock.now += 60_000;
  expect(await remote.refresh()).toBeUndefined();
  expect(remote.get()).toBe(good);
});

test('a symmetric key that anybody can fetch is none', async () => {
  const { remote } = aRemote([
    '{"keys":[{"kty":"oct","k":"AAAA","kid":"shared"},{"kty":"RSA","n":"AAAA","e":"AQAB","kid":"one"}]}',
  ]);
  expect((await remote.get()).keys.map(({ kid }) => kid)).toEqual(['one']);
});
