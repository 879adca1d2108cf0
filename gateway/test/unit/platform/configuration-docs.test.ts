import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { settingNames } from '../../../platform/config-schema.ts';
import { VARIABLE_NAMES } from '../../../platform/config-variables.ts';
import { defaultSettings } from '../../../platform/settings.ts';

const docs = await readFile(new URL('../../../../docs/configuration.md', import.meta.url), 'utf8');

/** First cell → second cell of all tables. */
const rows = new Map(
  docs.split('\n').flatMap((line): [string, string][] => {
    const [, name = '', value = ''] = line.split('|').map((cell) => cell.trim());
    return name === '' ? [] : [[name, value]];
  }),
);

test('every setting of the schema is in docs/configuration.md', () => {
  expect(settingNames().filter((name) => !rows.has(`\`${name}\``))).toEqual([]);
});

test('every environment variable that is read is in docs/configuration.md', () => {
  expect(VARIABLE_NAMES.filter((name) => !docs.includes(`\`${name}\``))).toEqual([]);
});

test('every setting has a default, and docs/configuration.md gives it', () => {
  const defaults = flatten(defaultSettings());
  expect([...defaults.keys()].sort()).toEqual([...settingNames()].sort());
  const undocumented = [...defaults].filter(([name, value]) => {
    const shown = typeof value === 'object' ? JSON.stringify(value) : value;
    return !rows.get(`\`${name}\``)?.includes(value === undefined ? 'none' : `\`${shown}\``);
  });
  expect(undocumented).toEqual([]);
});

function flatten(settings: object): Map<string, unknown> {
  return new Map(
    Object.entries(settings).flatMap(([section, value]): [string, unknown][] =>
      typeof value === 'object'
        ? Object.entries(value).map(([key, inner]) => [`${section}.${key}`, inner])
        : [[section, value]],
    ),
  );
}
