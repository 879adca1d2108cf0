import { describe, expect, test } from 'vitest';
import {
  overlayPostgrestSettings,
  type PostgrestRecord,
  PostgrestSettingsError,
  parsePostgrestSettings,
} from '../../../registry/postgrest-settings.ts';

function problemsOf(record: PostgrestRecord) {
  try {
    parsePostgrestSettings(record);
  } catch (error) {
    if (error instanceof PostgrestSettingsError) return error.problems;
    throw error;
  }
  return [];
}

describe('parsePostgrestSettings', () => {
  test("without settings everything has PostgREST's default, and anon is the anonymous role", () => {
    expect(parsePostgrestSettings({})).toEqual({
      dbSchemas: ['public'],
      dbExtraSearchPath: ['public'],
      dbAnonRole: 'anon',
      dbMaxRows: undefined,
      dbConfig: true,
      dbPreConfig: undefined,
      dbPreRequest: undefined,
      dbRootSpec: undefined,
      dbTxEnd: 'commit',
      dbPlanEnabled: false,
      dbAggregatesEnabled: false,
      dbHoistedTxSettings: [
        'statement_timeout',
        'plan_filter.statement_cost_limit',
        'default_transaction_isolation',
      ],
      dbPreparedStatements: true,
      clientErrorVerbosity: 'verbose',
      jwtAud: undefined,
      jwtRoleClaimKey: '.role',
      openapiMode: 'follow-privileges',
      openapiSecurityActive: false,
      openapiServerProxyUri: undefined,
      serverCorsAllowedOrigins: [],
      serverTraceHeader: undefined,
      serverTimingEnabled: false,
      urlUseLegacyTargetNames: true,
      cascataBatchMaxRequests: 0,
      cascataEtagEnabled: false,
      cascataKeysetEnabled: false,
      cascataMethodOverrideEnabled: false,
      cascataQueryMethodEnabled: false,
      appSettings: {},
    });
  });

  test('strings, numbers and booleans are taken alike', () => {
    expect(
      parsePostgrestSettings({
        'db-schemas': 'public, api,public',
        'db-extra-search-path': '',
        'db-max-rows': '1000',
        'db-plan-enabled': 'true',
        'db-aggregates-enabled': true,
        'db-tx-end': 'rollback-allow-override',
        'db-pre-request': 'private.check',
        'jwt-role-claim-key': '."https://example.com/claims".role',
        'openapi-server-proxy-uri': 'https://api.example.com/v1',
        'server-cors-allowed-origins': 'https://a.example, https://b.example',
        'app.settings.tier': 3,
        'app.settings.jwt_secret': 'x',
      }),
    ).toMatchObject({
      dbSchemas: ['public', 'api'],
      dbExtraSearchPath: [],
      dbMaxRows: 1000,
      dbPlanEnabled: true,
      dbAggregatesEnabled: true,
      dbTxEnd: 'rollback-allow-override',
      dbPreRequest: 'private.check',
      jwtRoleClaimKey: '."https://example.com/claims".role',
      openapiServerProxyUri: 'https://api.example.com/v1',
      serverCorsAllowedOrigins: ['https://a.example', 'https://b.example'],
      appSettings: { 'app.settings.tier': '3', 'app.settings.jwt_secret': 'x' },
    });
    expect(parsePostgrestSettings({ 'db-max-rows': 0 }).dbMaxRows).toBe(0);
  });

  test.each([null, ''])('db-anon-role %j means that there is none', (value) => {
    expect(parsePostgrestSettings({ 'db-anon-role': value }).dbAnonRole).toBeUndefined();
  });

  test('null is the default for every other setting', () => {
    expect(parsePostgrestSettings({ 'db-schemas': null, 'db-max-rows': null, 'db-tx-end': null })).toEqual(
      parsePostgrestSettings({}),
    );
  });

  test('every problem is named', () => {
    expect(
      problemsOf({
        'db-schemas': ' , ',
        'db-max-rows': -1,
        'db-plan-enabled': 'perhaps',
        'db-tx-end': 'later',
        'jwt-role-claim-key': 'role',
        'openapi-server-proxy-uri': 'ftp://x',
        'app.settings.bad name': 1,
        'db-shemas': 'public',
        'db-pool': 10,
        'jwt-secret': 'x',
        'db-uri': 'postgres://x',
      }),
    ).toEqual([
      { name: 'db-schemas', message: 'names no schema' },
      { name: 'db-max-rows', message: 'must be a whole number of at least 0, not -1' },
      { name: 'db-plan-enabled', message: 'must be true or false, not "perhaps"' },
      {
        name: 'db-tx-end',
        message:
          'must be one of commit, commit-allow-override, rollback, rollback-allow-override, not "later"',
      },
      {
        name: 'jwt-role-claim-key',
        message: 'must be a path like $.role or ."https://example.com/claims".role, not "role"',
      },
      { name: 'openapi-server-proxy-uri', message: 'must be an absolute http or https URL, not "ftp://x"' },
      { name: 'app.settings.bad name', message: 'is not a name PostgreSQL takes for a parameter' },
      { name: 'db-shemas', message: 'is not a setting of PostgREST' },
      { name: 'db-pool', message: 'is set per process, not per tenant (see docs/configuration.md)' },
      { name: 'jwt-secret', message: 'is set with "jwt": {"secret": …} here' },
      { name: 'db-uri', message: "is the tenant's placement here" },
    ]);
  });

  test.each(['pg_catalog', 'information_schema'])('%s cannot be exposed', (schema) => {
    expect(problemsOf({ 'db-schemas': `public, ${schema}` })).toEqual([
      { name: 'db-schemas', message: `may not hold '${schema}'` },
    ]);
  });
});

describe('overlayPostgrestSettings', () => {
  test('what the second record says wins, the rest stays', () => {
    const base = parsePostgrestSettings({ 'db-max-rows': 5, 'db-tx-end': 'rollback', 'app.settings.a': 1 });
    const { settings, problems } = overlayPostgrestSettings(base, {
      'db-max-rows': '10',
      'app.settings.b': 2,
    });
    expect(problems).toEqual([]);
    expect(settings).toEqual({
      ...base,
      dbMaxRows: 10,
      appSettings: { 'app.settings.a': '1', 'app.settings.b': '2' },
    });
    expect(base.appSettings).toEqual({ 'app.settings.a': '1' });
  });

  test('what is wrong in it is told and left out', () => {
    const base = parsePostgrestSettings({});
    const { settings, problems } = overlayPostgrestSettings(base, {
      'db-max-rows': 'many',
      'jwt-secret': 'x',
    });
    expect(settings).toEqual(base);
    expect(problems.map(({ name }) => name)).toEqual(['db-max-rows', 'jwt-secret']);
  });
});
