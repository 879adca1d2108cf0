import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { VARIABLE_NAMES } from '../../../../gateway/platform/config-variables.ts';

interface Service {
  readonly volumes?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly networks?: readonly string[];
  readonly read_only?: boolean;
  readonly cap_drop?: readonly string[];
}
const text = await readFile(new URL('../../../../docker-compose.engine.yml', import.meta.url), 'utf8');
const { services, networks }: { services: Record<string, Service>; networks: unknown } = parse(text);

test('the engine’s socket is in the proxy alone, and the proxy is reached by the admin worker alone', () => {
  const withSocket = Object.entries(services).filter(([, { volumes = [] }]) =>
    volumes.join().includes('.sock'),
  );
  expect(withSocket.map(([name]) => name)).toEqual(['engine-proxy']);
  expect(services['engine-proxy']).toMatchObject({
    read_only: true,
    cap_drop: ['ALL'],
    networks: ['engine'],
  });
  const near = Object.entries(services).filter(([, service]) => service.networks?.includes('engine'));
  expect(near.map(([name]) => name)).toEqual(['engine-proxy', 'admin-worker']);
  expect(networks).toEqual({ engine: { internal: true } });
});

test('the admin worker is given variables that it reads', () => {
  for (const name of Object.keys(services['admin-worker']?.environment ?? {}))
    expect(VARIABLE_NAMES).toContain(name);
});
