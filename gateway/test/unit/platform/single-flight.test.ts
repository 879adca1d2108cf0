import fc from 'fast-check';
import { expect, test } from 'vitest';
import { SingleFlight } from '../../../platform/single-flight.ts';

test('all who ask during a load get its value, and it runs once', async () => {
  const flight = new SingleFlight<number>();
  let loads = 0;
  const load = async () => ++loads;
  expect(await Promise.all([flight.run('a', load), flight.run('a', load), flight.run('b', load)])).toEqual([
    1, 1, 2,
  ]);
  expect(await flight.run('a', load)).toBe(3);
});

test('a rejection goes to all waiters and the next run loads again', async () => {
  const flight = new SingleFlight<string>();
  const fail = () => Promise.reject(new Error('down'));
  const results = await Promise.allSettled([flight.run('a', fail), flight.run('a', fail)]);
  expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  expect(await flight.run('a', async () => 'up')).toBe('up');
});

test('a load that throws instead of rejecting is a rejection too', async () => {
  const flight = new SingleFlight<string>();
  const run = flight.run('a', () => {
    throw new Error('thrown');
  });
  await expect(run).rejects.toThrow('thrown');
  expect(flight.size).toBe(0);
});

test('an invalidation aborts the load and its waiters get a value loaded afterwards', async () => {
  const published: string[] = [];
  const flight = new SingleFlight<string>({ publish: (key, value) => published.push(`${key}=${value}`) });
  const gates = [Promise.withResolvers<string>(), Promise.withResolvers<string>()];
  const signals: AbortSignal[] = [];
  const load = (signal: AbortSignal) => {
    signals.push(signal);
    return gates[signals.length - 1]!.promise;
  };
  const waiter = flight.run('a', load);
  flight.invalidate('a');
  const later = flight.run('a', load);
  gates[0]!.resolve('old');
  gates[1]!.resolve('new');
  expect(await Promise.all([waiter, later])).toEqual(['new', 'new']);
  expect(published).toEqual(['a=new']);
  expect(signals.map(({ aborted }) => aborted)).toEqual([true, false]);
});

test('a failure of an invalidated load is nobody’s', async () => {
  const flight = new SingleFlight<string>();
  const first = Promise.withResolvers<string>();
  let loads = 0;
  const waiter = flight.run('a', () => (++loads === 1 ? first.promise : Promise.resolve('new')));
  flight.invalidate('a');
  first.reject(new Error('cancelled'));
  expect(await waiter).toBe('new');
});

test('an invalidation of another key, or of a key not being loaded, changes nothing', async () => {
  const flight = new SingleFlight<number>();
  let loads = 0;
  const waiter = flight.run('a', async () => ++loads);
  flight.invalidate('b');
  expect(await waiter).toBe(1);
  flight.invalidate('a');
  expect(loads).toBe(1);
});

test('whatever the order of reads, changes and loads: nobody is given, and nothing published is, older than the last change before it', async () => {
  const step = fc.oneof(
    { weight: 3, arbitrary: fc.constant('read' as const) },
    { weight: 2, arbitrary: fc.constant('change' as const) },
    { weight: 3, arbitrary: fc.constant('finish' as const) },
    { weight: 1, arbitrary: fc.constant('fail' as const) },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      let source = 0;
      let cached: number | undefined;
      const pending: { finish: () => void; fail: () => void }[] = [];
      const flight = new SingleFlight<number>({
        publish: (_, value) => {
          cached = value;
          expect(value).toBe(source);
        },
      });
      const reads: Promise<void>[] = [];
      const load = () => {
        const { promise, resolve, reject } = Promise.withResolvers<number>();
        const read = source; // What a query that began now would see.
        pending.push({ finish: () => resolve(read), fail: () => reject(new Error('failed')) });
        return promise;
      };
      const read = () => {
        const atLeast = source;
        const answer = cached === undefined ? flight.run('k', load) : Promise.resolve(cached);
        reads.push(
          answer.then(
            (value) => expect(value).toBeGreaterThanOrEqual(atLeast),
            (error: Error) => expect(error.message).toBe('failed'),
          ),
        );
      };
      for (const action of steps) {
        if (action === 'read') read();
        if (action === 'change') {
          source++;
          cached = undefined;
          flight.invalidate('k');
        }
        if (action === 'finish') pending.shift()?.finish();
        if (action === 'fail') pending.shift()?.fail();
        if (source % 2 === 0) await new Promise((resolve) => setImmediate(resolve));
      }
      while (flight.size > 0) {
        for (const { finish } of pending.splice(0)) finish();
        await new Promise((resolve) => setImmediate(resolve));
      }
      await Promise.all(reads);
    }),
  );
});
