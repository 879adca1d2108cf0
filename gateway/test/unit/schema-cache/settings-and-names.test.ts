import { expect, test } from 'vitest';
import { displayType } from '../../../schema-cache/display-type.ts';
import { parseMediaTypeName } from '../../../schema-cache/media-type-name.ts';
import { isAllowedSetting, roleSettingsFromRows } from '../../../schema-cache/role-settings.ts';

test('a type shows the logical schema in place of the tenant’s physical one', () => {
  const acme = { schemaPrefix: 'acme', rolePrefix: 'acme' };
  const shown: [string, string][] = [
    ['acme.color[]', 'public.color[]'],
    ['acme_api.color', 'api.color'],
    ['acme."Mixed Case"', 'public."Mixed Case"'],
    ['"acme_Odd one".t', '"Odd one".t'],
    ['extensions.citext', 'extensions.citext'],
    ['acmes.color', 'acmes.color'],
    ['integer', 'integer'],
    ['character varying(20)', 'character varying(20)'],
    ['numeric(10,2)', 'numeric(10,2)'],
  ];
  for (const [type, expected] of shown) expect(displayType(acme, type)).toBe(expected);
});

test('without a prefix types show as they are', () => {
  expect(displayType({ schemaPrefix: undefined, rolePrefix: undefined }, 'test.color')).toBe('test.color');
});

test('a domain is a media type by the look of its name', () => {
  expect(parseMediaTypeName('text/html')).toBe('text/html');
  expect(parseMediaTypeName('application/vnd.Lines+json')).toBe('application/vnd.lines+json');
  expect(parseMediaTypeName('*/*')).toBe('*/*');
  for (const name of ['email', 'a/b/c', 'text/', '/html', 'text/*', 'te xt/html']) {
    expect(parseMediaTypeName(name)).toBeUndefined();
  }
});

test('a role carries no setting that decides who it is or what it sees', () => {
  for (const name of [
    'role',
    'ROLE',
    'session_authorization',
    'search_path',
    'row_security',
    'client_encoding',
  ]) {
    expect(isAllowedSetting(name)).toBe(false);
  }
  for (const name of ['session_replication_role', 'request.jwt.claims', 'response.status', 'unheard_of']) {
    expect(isAllowedSetting(name)).toBe(false);
  }
});

test('what a query costs and how values are written may be set by role', () => {
  for (const name of [
    'statement_timeout',
    'work_mem',
    'TimeZone',
    'DateStyle',
    'plan_filter.statement_cost_limit',
  ]) {
    expect(isAllowedSetting(name)).toBe(true);
  }
});

test('a role’s setting for this database wins over its setting for all', () => {
  const rows = [
    ['anon', '["statement_timeout=3s","work_mem=4MB","role=postgres"]'],
    ['anon', '["statement_timeout=5s"]'],
    ['nobody', '["search_path=evil"]'],
  ];
  expect(roleSettingsFromRows({ rows, commandTag: 'SELECT 3' })).toEqual(
    new Map([['anon', { statement_timeout: '5s', work_mem: '4MB' }]]),
  );
});
