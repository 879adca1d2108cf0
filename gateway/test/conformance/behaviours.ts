/**
 * What PostgREST does, one row a behaviour: the identifier that cases, issues and the changelog use, and what it is about.
 * `docs/compatibility.md` is made from this table and the cases.
 */
export const BEHAVIOURS: Readonly<Record<string, string>> = {
  R1: 'Paths: root, relations, `/rpc/…`; deeper ones are not found',
  R2: 'Methods of relations',
  R3: 'Methods of functions and of the root',
  R4: 'HEAD is GET without a body',
  R5: 'OPTIONS of a relation tells what it takes',
  R6: 'OPTIONS of a function and of the root',
  R7: 'Decoding of the query string',
  F1: 'Filters: `eq gt gte lt lte` with `any`/`all`',
  F2: 'Filters: `neq`',
  F3: 'Filters: `like ilike`',
  F4: 'Filters: `match imatch`',
  F5: 'Filters: `in`',
  F6: 'Filters: `is`',
  F7: 'Filters: `isdistinct`',
  F8: 'Filters: full text',
  F9: 'Filters: `cs cd ov`',
  F10: 'Filters: ranges',
  F11: 'Filters: `not.`',
  F12: 'Filters: values are bound and typed by PostgreSQL',
  F13: 'Filters: several are ANDed',
  F14: 'Filters: `and`/`or` trees',
  F15: 'Filters: on embeds',
  F16: 'Filters: null embeds',
  F17: 'Filters: JSON paths',
  F18: 'Filters: names and quoting',
  F19: 'Filters: domain representations',
  F20: 'Filters: computed and unknown columns',
  V1: 'Select: columns and star',
  V2: 'Select: names, casts, JSON paths',
  V3: 'Select: embeds',
  V4: 'Select: spreads',
  V5: 'Select: aggregates',
  V6: 'Select: computed columns',
  V7: 'Select: on writes and calls',
  E1: 'Relationships: partitions',
  E2: 'Relationships: many-to-one, one-to-many, one-to-one',
  E3: 'Relationships: many-to-many',
  E4: 'Relationships: views',
  E5: 'Relationships: exposed schemas only',
  E6: 'Relationships: ways to spell a target and hints',
  E7: 'Relationships: self references',
  E8: 'Relationships: shape of the result',
  E9: 'Relationships: computed',
  E10: 'Relationships: none found',
  E11: 'Relationships: more than one found',
  E12: 'Relationships: `!inner`',
  E13: 'Relationships: on writes and calls',
  O1: 'Order',
  O2: 'Order by an embed',
  O3: '`limit` and `offset`',
  O4: 'The `Range` header',
  O5: 'Status of pages',
  O6: '`Content-Range`',
  O7: 'Counts',
  O8: '`db-max-rows`',
  P1: 'Prefer: `return`',
  P2: 'Prefer: `resolution`',
  P3: 'Prefer: `missing`',
  P4: 'Prefer: `count`',
  P5: 'Prefer: `handling`',
  P6: 'Prefer: `tx`',
  P7: 'Prefer: `timezone`',
  P8: 'Prefer: `max-affected`',
  P9: 'Prefer: `params` is gone',
  W1: 'Writes: inserts',
  W2: 'Writes: `columns`',
  W3: 'Writes: CSV and forms',
  W4: 'Writes: defaults of missing keys',
  W5: 'Writes: location and representation',
  W6: 'Writes: upserts',
  W7: 'Writes: PUT',
  W8: 'Writes: PATCH',
  W9: 'Writes: DELETE',
  W10: 'Writes: singular objects',
  W11: 'Writes: violations and rights',
  M1: 'Formats: JSON',
  M2: 'Formats: singular objects',
  M3: 'Formats: stripped nulls',
  M4: 'Formats: CSV',
  M5: 'Formats: GeoJSON',
  M6: 'Formats: plans',
  M7: 'Formats: types without a handler',
  M8: 'Formats: custom media types',
  M9: 'Formats: negotiation',
  M10: 'Formats: exact bytes',
  C1: 'Calls: by GET',
  C2: 'Calls: by POST',
  C3: 'Calls: resolution',
  C4: 'Calls: a single unnamed parameter',
  C5: 'Calls: arguments',
  C6: 'Calls: results',
  C7: 'Calls: select, filters, order, window, count on results',
  C8: 'Calls: functions only',
  C9: 'Calls: settings of functions',
  C10: 'Calls: no `Content-Location`',
  H1: 'Headers: profiles',
  H2: 'Headers: `Content-Location`',
  H3: 'Headers: `Content-Length`',
  H4: 'Headers: `Vary`',
  H5: 'Headers: `Server` and trace header',
  H6: 'Headers: `Server-Timing`',
  H7: 'Headers: errors',
  H8: 'Headers: CORS',
  H9: 'Headers: `Retry-After`',
  A1: 'Tokens: given or not',
  A2: 'Tokens: secrets and keys',
  A3: 'Tokens: times and audience',
  A4: 'Tokens: role claim',
  A5: 'Tokens: unknown role',
  A6: 'Tokens: cache',
  A7: 'Tokens: errors',
  G1: 'Transaction: settings SQL can read',
  G2: 'Transaction: pre-request function',
  G3: 'Transaction: `response.headers` and `response.status`',
  G4: 'Transaction: settings of roles',
  G5: 'Transaction: access mode',
  G6: 'Transaction: how it ends',
  G7: 'Transaction: errors raised by SQL',
  X1: 'Domain representations',
  X2: 'OpenAPI root',
  X3: 'Admin endpoints',
  X4: 'Reload of the schema cache',
  X5: 'Reconnection',
  X6: 'Pool',
  X7: 'Settings',
  X8: 'Logging',
};

/** A test outside the cases: its file, from the root, and its name as it stands there. */
export interface OtherTest {
  readonly file: string;
  readonly name: string;
}

const GATEWAY_TESTS = 'gateway/test';

/** What requests to one endpoint cannot show, or not all of it, and the tests that do. */
export const SHOWN_ELSEWHERE: Readonly<Record<string, readonly OtherTest[]>> = {
  E2: [
    {
      file: `${GATEWAY_TESTS}/unit/schema-cache/relationships.test.ts`,
      name: 'a key over exactly the columns of a unique constraint or primary key is one-to-one, whatever their order',
    },
  ],
  E4: [
    {
      file: `${GATEWAY_TESTS}/integration/schema-cache.test.ts`,
      name: 'set operations and aggregates have none, grouped columns have',
    },
    {
      file: `${GATEWAY_TESTS}/integration/schema-cache.test.ts`,
      name: 'a chain of views leads through the extra search path',
    },
    {
      file: `${GATEWAY_TESTS}/unit/schema-cache/view-lineage.test.ts`,
      name: 'views that contain each other end the search',
    },
  ],
  E11: [
    {
      file: `${GATEWAY_TESTS}/unit/schema-cache/relationships.test.ts`,
      name: 'relationships are ordered by target, cardinality, then name; functions last',
    },
  ],
  W4: [
    {
      file: `${GATEWAY_TESTS}/integration/schema-cache.test.ts`,
      name: 'defaults are SQL that works anywhere: of columns, sequences, identities and domains; not of generated columns',
    },
  ],
  H7: [
    {
      file: `${GATEWAY_TESTS}/unit/errors/error-response.test.ts`,
      name: 'minimal verbosity leaves code and message',
    },
  ],
  H8: [
    {
      file: `${GATEWAY_TESTS}/unit/http/cors.test.ts`,
      name: 'every origin may read unless origins are named',
    },
  ],
  A4: [
    {
      file: `${GATEWAY_TESTS}/unit/auth/authenticate.test.ts`,
      name: 'jwt-role-claim-key says where the role is',
    },
    {
      file: `${GATEWAY_TESTS}/unit/registry/role-claim.test.ts`,
      name: 'a value that is no text is taken as its JSON',
    },
  ],
  A7: [
    {
      file: `${GATEWAY_TESTS}/unit/auth/authenticate.test.ts`,
      name: 'a tenant without a secret cannot check tokens',
    },
  ],
  M7: [
    {
      file: `${GATEWAY_TESTS}/integration/media-bytes.test.ts`,
      name: 'M8: %s answers the bytes as they are',
    },
  ],
  H5: [{ file: `${GATEWAY_TESTS}/integration/process-endpoints.test.ts`, name: 'can be switched off' }],
  H9: [
    { file: `${GATEWAY_TESTS}/unit/errors/error-response.test.ts`, name: 'every 503 says when to come back' },
  ],
  A2: [
    {
      file: `${GATEWAY_TESTS}/unit/auth/jwt-secret.test.ts`,
      name: 'that is %s verifies what its keys signed',
    },
    { file: `${GATEWAY_TESTS}/unit/auth/authenticate.test.ts`, name: 'a symmetric JWK verifies %s' },
  ],
  A6: [
    {
      file: `${GATEWAY_TESTS}/unit/auth/authenticate.test.ts`,
      name: 'the times of a verified token are checked on each use',
    },
  ],
  X2: [
    { file: `${GATEWAY_TESTS}/unit/respond/open-api-document.test.ts`, name: "is PostgREST's, key for key" },
  ],
  X3: [
    {
      file: `${GATEWAY_TESTS}/integration/process-endpoints.test.ts`,
      name: '/metrics has a row for each of PostgREST’s: pool, schema cache, queries, tokens',
    },
  ],
  X4: [
    { file: `${GATEWAY_TESTS}/integration/schema-reload.test.ts`, name: 'with %j reads the picture again' },
    {
      file: `${GATEWAY_TESTS}/unit/reload/shared-sweep.test.ts`,
      name: 'pictures in use are read again one after another, the others when they are next used',
    },
    {
      file: `${GATEWAY_TESTS}/integration/shared-schema-reload.test.ts`,
      name: 'reads the pictures of all shared tenants in use again, whoever sent it',
    },
  ],
  X5: [
    {
      file: `${GATEWAY_TESTS}/integration/schema-reload.test.ts`,
      name: 'goes on after the connection was lost',
    },
    {
      file: `${GATEWAY_TESTS}/integration/execute/pool.test.ts`,
      name: 'that comes back within a moment is reached by the same request',
    },
    {
      file: `${GATEWAY_TESTS}/unit/schema-cache/schema-cache-store.test.ts`,
      name: 'a failed reload leaves the old picture in place and is tried again later, each time later',
    },
  ],
  X6: [
    {
      file: `${GATEWAY_TESTS}/integration/execute/pool.test.ts`,
      name: 'gives 504 PGRST003 when no connection comes free in time, and the others are served',
    },
  ],
  X7: [
    { file: `${GATEWAY_TESTS}/integration/database-settings.test.ts`, name: 'win over the registry’s' },
    { file: `${GATEWAY_TESTS}/integration/database-settings.test.ts`, name: 'wins over the role’s settings' },
    { file: `${GATEWAY_TESTS}/unit/registry/postgrest-settings.test.ts`, name: 'every problem is named' },
  ],
  X8: [
    {
      file: `${GATEWAY_TESTS}/unit/platform/logger.test.ts`,
      name: 'a request is one JSON line, its times to the microsecond',
    },
  ],
};
