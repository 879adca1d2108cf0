import { expect, test } from 'vitest';
import { GatewayError } from '../../../errors/gateway-error.ts';
import type { Observation } from '../../../platform/observation.ts';
import { CircuitBreaker } from '../../../routing/circuit-breaker.ts';

const far = { key: 'remote:acme@1', name: 'remote:acme', pooling: 'leased' } as const;
const other = { key: 'remote:globex@1', name: 'remote:globex', pooling: 'leased' } as const;
const shared = { key: 'shared', name: 'shared', pooling: 'shared' } as const;

function setUp() {
  const clock = { now: 1_000_000 };
  const told: string[] = [];
  const observe = (observation: Observation) => {
    if (observation.kind === 'upstream-breaker') told.push(`${observation.upstream} ${observation.state}`);
  };
  return { clock, told, breaker: new CircuitBreaker({ observe, now: () => clock.now }) };
}

const unreachable = () => new GatewayError('PGRST000', { details: 'The connection was refused' });

/** `passed`, or the seconds that the refusal asks for. */
function admitted(breaker: CircuitBreaker, upstream: typeof far | typeof other | typeof shared): string {
  try {
    breaker.admit(upstream);
    return 'passed';
  } catch (error) {
    if (!(error instanceof GatewayError) || error.code !== 'GW203') throw error;
    return error.headers['Retry-After'] ?? 'none';
  }
}

function failTimes(breaker: CircuitBreaker, times: number, upstream: typeof far | typeof shared = far) {
  for (let i = 0; i < times; i++) {
    breaker.admit(upstream);
    breaker.settle(upstream, unreachable());
  }
}

test('three failures in a row open it, for this upstream alone', () => {
  const { breaker, told } = setUp();
  failTimes(breaker, 2);
  expect(admitted(breaker, far)).toBe('passed');
  breaker.settle(far, unreachable());
  expect([admitted(breaker, far), admitted(breaker, other), breaker.openCount]).toEqual(['1', 'passed', 1]);
  expect(told).toEqual(['remote:acme open']);
});

test('the refusal says what happened before, and names no place', () => {
  const { breaker } = setUp();
  failTimes(breaker, 3);
  expect(() => breaker.admit(far)).toThrow(
    expect.objectContaining({ status: 503, code: 'GW203', details: 'The connection was refused' }),
  );
});

test('an answer in between, even an error of PostgreSQL’s, begins the count anew', () => {
  const { breaker } = setUp();
  failTimes(breaker, 2);
  breaker.settle(
    far,
    Object.assign(new Error('relation does not exist'), { code: '42P01', severity: 'ERROR' }),
  );
  failTimes(breaker, 2);
  expect(admitted(breaker, far)).toBe('passed');
});

test('when its time is over one request goes through, whose answer closes it', () => {
  const { breaker, clock, told } = setUp();
  failTimes(breaker, 3);
  clock.now += 1_000;
  expect([admitted(breaker, far), admitted(breaker, far)]).toEqual(['passed', '1']);
  breaker.settle(far);
  expect([admitted(breaker, far), admitted(breaker, far), breaker.openCount]).toEqual([
    'passed',
    'passed',
    0,
  ]);
  expect(told).toEqual(['remote:acme open', 'remote:acme half-open', 'remote:acme closed']);
});

test('each failed probe doubles the time, up to half a minute', () => {
  const { breaker, clock } = setUp();
  failTimes(breaker, 3);
  const waits: string[] = [];
  for (let i = 0; i < 7; i++) {
    const seconds = admitted(breaker, far);
    waits.push(seconds);
    clock.now += Number(seconds) * 1_000;
    failTimes(breaker, 1);
  }
  expect(waits).toEqual(['1', '2', '4', '8', '16', '30', '30']);
});

test('the upstream that all shared tenants wait for is tried every second', () => {
  const { breaker, clock } = setUp();
  failTimes(breaker, 3, shared);
  for (let i = 0; i < 4; i++) {
    expect(admitted(breaker, shared)).toBe('1');
    clock.now += 1_000;
    failTimes(breaker, 1, shared);
  }
});

test('requests that were under way when it opened do not prolong it', () => {
  const { breaker, clock } = setUp();
  for (let i = 0; i < 50; i++) breaker.admit(far);
  for (let i = 0; i < 50; i++) breaker.settle(far, unreachable());
  expect(admitted(breaker, far)).toBe('1');
  clock.now += 1_000;
  expect(admitted(breaker, far)).toBe('passed');
});

test('a probe whose client goes away leaves the next request to be the probe', () => {
  const { breaker, clock } = setUp();
  failTimes(breaker, 3);
  clock.now += 1_000;
  breaker.admit(far);
  breaker.settle(far, new GatewayError('GW902'));
  expect([admitted(breaker, far), admitted(breaker, far)]).toEqual(['passed', '1']);
});

test('a probe that takes its time keeps the others out for two seconds, and no longer once one of them is answered', () => {
  const { breaker, clock, told } = setUp();
  failTimes(breaker, 3, shared);
  clock.now += 1_000;
  expect(admitted(breaker, shared)).toBe('passed');
  clock.now += 1_999;
  expect(admitted(breaker, shared)).toBe('1');
  clock.now += 1;
  expect([admitted(breaker, shared), admitted(breaker, shared)]).toEqual(['passed', '1']);
  breaker.settle(shared);
  expect([admitted(breaker, shared), admitted(breaker, shared)]).toEqual(['passed', 'passed']);
  expect(told).toEqual(['shared open', 'shared half-open', 'shared closed']);
});

test('a tenant that waits for its own connections, or cannot be served for another reason, opens nothing', () => {
  const { breaker } = setUp();
  for (let i = 0; i < 10; i++) {
    breaker.admit(far);
    breaker.settle(far, new GatewayError(i % 2 === 0 ? 'PGRST003' : 'GW902'));
  }
  expect([admitted(breaker, far), breaker.openCount]).toEqual(['passed', 0]);
});
