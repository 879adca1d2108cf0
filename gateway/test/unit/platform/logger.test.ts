import { expect, test } from 'vitest';
import { GatewayError } from '../../../errors/gateway-error.ts';
import { createLogger, type LoggerOptions } from '../../../platform/logger.ts';
import { type Observation, STAGES } from '../../../platform/observation.ts';

function linesOf(
  observations: readonly Observation[],
  options: Partial<LoggerOptions> = {},
): Record<string, unknown>[] {
  const lines: string[] = [];
  const destination = { write: (line: string) => void lines.push(line) };
  const logger = createLogger({
    process: 'gateway',
    level: 'info',
    isProduction: true,
    destination,
    ...options,
  });
  for (const observation of observations) logger.observe(observation);
  return lines.map((line) => {
    const { time: _, ...fields } = JSON.parse(line);
    return fields;
  });
}

const FINISHED: Observation = {
  kind: 'request-finished',
  requestId: 'r1',
  tenantId: 'acme',
  method: 'GET',
  route: '/rest/v1/:relation',
  status: 200,
  errorCode: undefined,
  upstream: 'shared',
  rows: 3,
  durationMs: 1.234_567,
  stages: STAGES.map((stage) =>
    stage === 'plan' ? 0.000_4 : stage === 'transaction' ? 1.000_09 : Number.NaN,
  ),
};

test('a request is one JSON line, its times to the microsecond', () => {
  expect(linesOf([FINISHED])).toEqual([
    {
      level: 30,
      process: 'gateway',
      kind: 'request-finished',
      requestId: 'r1',
      tenantId: 'acme',
      method: 'GET',
      route: '/rest/v1/:relation',
      status: 200,
      upstream: 'shared',
      rows: 3,
      durationMs: 1.235,
      stages: { plan: 0, transaction: 1 },
    },
  ]);
});

test('what is for the metrics alone gets no line', () => {
  expect(
    linesOf(
      [
        { kind: 'tenant-cache', outcome: 'hit' },
        { kind: 'jwt-cache', outcome: 'miss' },
      ],
      { level: 'trace' },
    ),
  ).toEqual([]);
});

test('probes are lines only when they fail', () => {
  const probe = (status: number): Observation => ({ ...FINISHED, route: '/ready', status });
  expect(linesOf([probe(200), probe(503)]).map(({ status }) => status)).toEqual([503]);
});

test('a line names its process once, or the process it is about', () => {
  expect(
    linesOf([
      { kind: 'process-stopping', process: 'gateway', reason: 'SIGTERM' },
      { kind: 'process-stopping', process: 'gateway-2', reason: 'SIGTERM' },
    ]).map((line) => line.process),
  ).toEqual(['gateway', 'gateway-2']);
});

test('lines below the level are not written', () => {
  expect(linesOf([FINISHED, { kind: 'pool-opened', upstream: 'shared' }], { level: 'warn' })).toEqual([]);
});

test('a cause is reduced to message and code, with its own causes', () => {
  const refused = Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:5432'), {
    code: 'ECONNREFUSED',
    connectionString: 'postgres://u:hunter2@h/db',
  });
  const cause = new GatewayError('PGRST000', { cause: refused });
  const [line] = linesOf([{ kind: 'upstream-failed', tenantId: 'acme', upstream: 'shared', cause }]);
  expect(line).toEqual({
    level: 40,
    process: 'gateway',
    kind: 'upstream-failed',
    tenantId: 'acme',
    upstream: 'shared',
    cause: {
      message: 'Database connection error.',
      code: 'PGRST000',
      cause: { message: 'connect ECONNREFUSED 127.0.0.1:5432', code: 'ECONNREFUSED' },
    },
  });
});

test('stacks are logged outside production only, without the message', () => {
  const failed: Observation = {
    kind: 'request-failed',
    requestId: 'r1',
    tenantId: undefined,
    cause: new Error('see postgres://u:hunter2@h/db'),
  };
  const [inProduction] = linesOf([failed]);
  const [inDevelopment] = linesOf([failed], { isProduction: false });
  expect(JSON.stringify(inProduction)).not.toContain('stack');
  expect(JSON.stringify(inDevelopment)).toContain('logger.test.ts');
  expect(JSON.stringify(inDevelopment)).not.toContain('hunter2');
});
