import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { VARIABLE_NAMES } from '../../../../gateway/platform/config-variables.ts';
import { defaultSettings } from '../../../../gateway/platform/settings.ts';
import { parseComposeFile, parseComposeOverlay } from '../../../../test/compose/compose-file.ts';

interface Service {
  readonly volumes?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly networks?: readonly string[];
  readonly read_only?: boolean;
  readonly cap_drop?: readonly string[];
}
const read = (path: string) => readFile(new URL(`../../../../${path}`, import.meta.url), 'utf8');
const text = await read('docker-compose.engine.yml');
const stack = await read('docker-compose.yml');
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

test('on top of the stack it adds one service, as hardened as the others, and changes one', () => {
  const [before, after] = [parseComposeFile(stack), parseComposeOverlay(stack, text)];
  const changed = Object.keys(after.services).filter(
    (name) => JSON.stringify(after.services[name]) !== JSON.stringify(before.services[name]),
  );
  expect(changed.toSorted()).toEqual(['admin-worker', 'engine-proxy']);
  const { 'admin-worker': was } = before.services;
  const { 'admin-worker': worker, 'engine-proxy': proxy } = after.services;
  expect(worker).toEqual({
    ...was,
    environment: {
      ...was?.environment,
      CONTAINER_ENGINE: 'tcp://engine-proxy:2375',
      PHANTOM_KEY_FILE: '/run/secrets/phantom_key',
    },
    secrets: [...(was?.secrets ?? []), 'phantom_key'],
    networks: [...(was?.networks ?? []), 'engine'],
    depends_on: { ...was?.depends_on, 'engine-proxy': { condition: 'service_healthy' } },
  });
  // Nobody reaches the proxy from outside, and it holds no secret; what it runs is in the image that the stack builds.
  expect([proxy?.ports, proxy?.secrets, proxy?.image]).toEqual([undefined, undefined, was?.image]);
  expect(Object.keys(after.secrets)).toEqual(expect.arrayContaining([...(worker?.secrets ?? [])]));
});

test('the proxy is started from a file that there is, and both sides name the same core and the same key', async () => {
  const { name, services: all } = parseComposeOverlay(stack, text);
  const { 'engine-proxy': proxy, 'admin-worker': worker, db } = all;
  const entry = proxy?.command?.at(-1)?.replace(/^dist\/(.*)\.js$/, '$1.ts') ?? '';
  const main = await read(entry);
  for (const variable of Object.keys(proxy?.environment ?? {})) expect(main).toContain(variable);
  const core = `${name}-db-1`;
  expect(proxy?.environment?.CORE_CONTAINER).toBe(core);
  expect(defaultSettings().extensions.coreContainer).toBe(core);
  expect(worker?.environment?.PHANTOM_KEY_FILE).toBe(db?.environment?.PHANTOM_KEY_FILE);
});
