import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { ENGINE_TESTS } from '../support/engine-tests.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const SUPPORT = /from '[^']*\/(?:docker-ground|extension-stage|made-images)\.ts'/;

test('tests that use the container engine are those of the project `engine`', () => {
  const found = ['admin-worker/test', 'gateway/test', 'launcher/test', 'test'].flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('.test.ts'))
      .map((path) => `${folder}/${path}`)
      .filter((path) => SUPPORT.test(readFileSync(join(ROOT, path), 'utf8'))),
  );
  expect(found.toSorted()).toEqual(ENGINE_TESTS.toSorted());
});
