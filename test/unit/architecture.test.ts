import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const HOUSES = ['gateway', 'admin-worker', 'launcher', 'move'];

/** Shared by everything. */
const BASE = ['gateway/platform', 'gateway/registry', 'gateway/errors'];

/**
 * Who may import whom (besides itself): arrows of the pipeline point back to earlier stages and down to the shared folders, never to a later
 * stage. Files right below `gateway/` compose the stages and may import all of them.
 */
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  'gateway/platform': ['gateway/registry'],
  'gateway/registry': [],
  'gateway/errors': ['gateway/registry'],
  'gateway/tenants': BASE,
  'gateway/auth': BASE,
  'gateway/api-request': BASE,
  'gateway/schema-cache': BASE,
  'gateway/plan': [...BASE, 'gateway/api-request', 'gateway/schema-cache'],
  'gateway/query': [...BASE, 'gateway/api-request', 'gateway/auth', 'gateway/schema-cache', 'gateway/plan'],
  'gateway/routing': [...BASE, 'gateway/plan'],
  'gateway/execute': [...BASE, 'gateway/plan', 'gateway/query', 'gateway/routing'],
  'gateway/respond': [
    ...BASE,
    'gateway/api-request',
    'gateway/schema-cache',
    'gateway/plan',
    'gateway/query',
  ],
  'gateway/reload': [...BASE, 'gateway/schema-cache', 'gateway/routing'],
  'gateway/http': [...BASE, 'gateway/auth'],
  'gateway/forward': [...BASE, 'gateway/http'],
  'admin-worker': BASE,
  launcher: BASE,
  move: [],
};

function room(path: string): string {
  const [house = '', folder, ...rest] = path.split('/');
  return house === 'gateway' ? (rest.length === 0 ? 'gateway' : `gateway/${folder}`) : house;
}

function sourceFiles(): string[] {
  return HOUSES.flatMap((house) =>
    readdirSync(join(ROOT, house), { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('.ts') && !path.split('/').includes('test'))
      .map((path) => `${house}/${path}`),
  );
}

function importsOf(path: string): string[] {
  const text = readFileSync(join(ROOT, path), 'utf8');
  return [...text.matchAll(/(?:from|import)\s*\(?\s*'(\.[^']+)'/g)].map((match) =>
    normalize(join(dirname(path), match[1] ?? '')),
  );
}

test('no import reaches into a later stage, and the worker shares three folders only', () => {
  const wrong: string[] = [];
  for (const path of sourceFiles()) {
    const from = room(path);
    if (from === 'gateway') continue;
    for (const imported of importsOf(path)) {
      const to = room(imported);
      if (
        to !== from &&
        to !== '..' &&
        HOUSES.includes(imported.split('/')[0] ?? '') &&
        !ALLOWED[from]?.includes(to)
      ) {
        wrong.push(`${path} imports ${imported}`);
      }
    }
  }
  expect(wrong).toEqual([]);
});

test('the gateway imports nothing of the worker or the launcher', () => {
  const wrong = sourceFiles()
    .filter((path) => path.startsWith('gateway/'))
    .flatMap((path) =>
      importsOf(path)
        .filter((to) => !to.startsWith('gateway/'))
        .map((to) => `${path} imports ${to}`),
    );
  expect(wrong.filter((line) => !line.endsWith(relative('.', 'wrangler-like.config.ts')))).toEqual([]);
});

test('pg is imported on the request path by execute alone, and the web server by one file', () => {
  const importers = (name: string) =>
    sourceFiles().filter(
      (path) =>
        path.startsWith('gateway/') && readFileSync(join(ROOT, path), 'utf8').includes(`from '${name}'`),
    );
  expect(importers('pg').filter((path) => !/^gateway\/(execute|registry)\//.test(path))).toEqual([]);
  expect(importers('@hono/node-server')).toEqual(['gateway/http/http-server.ts']);
});
