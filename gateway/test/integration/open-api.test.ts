import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTestDatabase, runSql, type TestDatabase } from '../../../test/support/database.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { openApiProblems } from '../support/open-api-checker.ts';
import { ask } from './support/ask.ts';

let database: TestDatabase;
let gateway: TestGateway;

const FIXTURE = ['schema', 'routines', 'data', 'media'];
const ODD_NAMES = `
  CREATE TABLE public."weird/{name}" ("a b" int PRIMARY KEY, "a_b" text, "ü~/" text NOT NULL DEFAULT 'it''s');
  CREATE TABLE public."weird__name_" (id int);
  CREATE TABLE public."Error" (id int);
  CREATE TYPE public.weather AS ENUM ('calm', 'wild');
  CREATE TABLE public.typed (
    id uuid PRIMARY KEY, at timestamptz DEFAULT now(), mood public.weather DEFAULT 'calm', moods public.weather[],
    big bigint NOT NULL, price numeric DEFAULT 1.5, ok boolean DEFAULT true, doc jsonb, short varchar(5),
    twice bigint GENERATED ALWAYS AS (big * 2) STORED);
  CREATE FUNCTION public.many(a int, VARIADIC rest int[]) RETURNS int STABLE LANGUAGE sql AS 'SELECT a';
  CREATE FUNCTION public.raw(bytea) RETURNS int LANGUAGE sql AS 'SELECT 1';`;

beforeAll(async () => {
  database = await createTestDatabase();
  for (const name of FIXTURE) {
    await runSql(
      database.url,
      await readFile(new URL(`../conformance/fixture/${name}.sql`, import.meta.url), 'utf8'),
    );
  }
  await runSql(database.url, ODD_NAMES);
  gateway = await startGateway({
    databaseUrl: database.url,
    postgrest: { 'db-anon-role': 'postgres', 'db-schemas': 'public,archive' },
    jwtSecret: 'secret-of-open-api-test-with-32-characters',
  });
});

afterAll(async () => {
  await gateway?.close();
  await database?.drop();
});

const get = (path: string, accept?: string, method = 'GET') =>
  ask(gateway, `/rest/v1${path}`, { method, headers: accept === undefined ? {} : { accept } });

interface Document {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, { readonly operationId: string }>>>>;
  readonly components: {
    readonly schemas: Readonly<Record<string, { readonly properties: unknown; readonly required?: unknown }>>;
  };
}

const document = async (): Promise<Document> => (await get('/?openapi=3.1')).json as Document;

describe('OpenAPI 3.1', () => {
  test('is what the specification allows, odd names included', async () => {
    const { status, text } = await get('/?openapi=3.1');
    expect(status).toBe(200);
    expect(openApiProblems(text)).toEqual([]);
  });

  test('would not pass with a reference that leads nowhere, or an id given twice', async () => {
    const { text } = await get('/?openapi=3.1');
    expect(openApiProblems(text.replace('"Error":', '"Other":')).length).toBeGreaterThan(0);
    expect(openApiProblems(text.replace('"insert.halls"', '"read.halls"'))).toHaveLength(1);
    expect(openApiProblems(text.replace('"format":"uuid"', '"formatt":"uuid"')).length).toBeGreaterThan(0);
  });

  test('of another profile is too', async () => {
    const { text } = await ask(gateway, '/rest/v1/?openapi=3.1', {
      headers: { 'accept-profile': 'archive' },
    });
    expect(openApiProblems(text)).toEqual([]);
    expect(Object.keys((JSON.parse(text) as Document).paths)).toContain('/letters');
  });

  test.each([
    ['/?openapi=3.1', undefined, 'application/openapi+json; charset=utf-8', '3.1.1'],
    ['/?openapi=3.1', 'application/json', 'application/openapi+json; charset=utf-8', '3.1.1'],
    [
      '/',
      'application/vnd.oai.openapi+json;version=3.1',
      'application/vnd.oai.openapi+json;version=3.1; charset=utf-8',
      '3.1.1',
    ],
    [
      '/',
      'application/vnd.oai.openapi+json',
      'application/vnd.oai.openapi+json;version=3.1; charset=utf-8',
      '3.1.1',
    ],
    ['/', 'application/openapi+json', 'application/openapi+json; charset=utf-8', undefined],
    ['/?openapi=2.0', undefined, 'application/openapi+json; charset=utf-8', undefined],
    ['/', undefined, 'application/openapi+json; charset=utf-8', undefined],
  ])('%s with Accept %s is %s', async (path, accept, contentType, version) => {
    const answer = await get(path, accept);
    expect(answer.status).toBe(200);
    expect(answer.headers['content-type']).toBe(contentType);
    const { openapi, swagger } = answer.json as { openapi?: string; swagger?: string };
    expect([openapi, swagger]).toEqual([version, version === undefined ? '2.0' : undefined]);
  });

  test.each([
    ['/?openapi=4', undefined, 400],
    ['/', 'application/vnd.oai.openapi+json;version=3.0', 406],
    ['/?openapi=2.0', 'application/vnd.oai.openapi+json;version=3.1', 406],
  ])('%s with Accept %s is refused', async (path, accept, status) => {
    expect((await get(path, accept)).status).toBe(status);
  });

  test('HEAD has its type and no body', async () => {
    const answer = await get('/', 'application/vnd.oai.openapi+json;version=3.1', 'HEAD');
    expect([answer.status, answer.bytes.length]).toEqual([200, 0]);
  });

  test('shows the same relations and functions as 2.0', async () => {
    const swagger = (await get('/')).json as { paths: object };
    const paths = Object.keys((await document()).paths).map((path) => decodeURIComponent(path));
    expect(paths.sort()).toEqual(Object.keys(swagger.paths).sort());
  });

  test('columns become JSON Schema', async () => {
    const { schemas } = (await document()).components;
    expect(schemas.typed).toEqual({
      type: 'object',
      properties: {
        id: { type: 'string', format: 'uuid', description: 'Note:\nThis is a Primary Key.<pk/>' },
        at: { type: ['string', 'null'], format: 'date-time' },
        mood: {
          type: ['string', 'null'],
          format: 'public.weather',
          enum: ['calm', 'wild', null],
          default: 'calm',
        },
        moods: { type: ['array', 'null'], items: { type: 'string', format: 'public.weather' } },
        big: { type: 'integer', format: 'int64' },
        price: { type: ['number', 'null'], default: 1.5 },
        ok: { type: ['boolean', 'null'], default: true },
        doc: {},
        short: { type: ['string', 'null'], maxLength: 5 },
        twice: { type: ['integer', 'null'], format: 'int64', readOnly: true },
      },
      required: ['id', 'big'],
    });
    expect(schemas['typed.insert']).toMatchObject({ required: ['id', 'big'], additionalProperties: false });
    expect(Object.keys(schemas['typed.insert']?.properties as object)).not.toContain('twice');
    expect(schemas['typed.update']?.required).toBeUndefined();
  });

  test('operations have ids to call them by, and only those that work are there', async () => {
    const { paths } = await document();
    const ids = Object.values(paths['/halls'] ?? {}).map(({ operationId }) => operationId);
    expect(ids).toEqual(['read.halls', 'insert.halls', 'upsert.halls', 'update.halls', 'delete.halls']);
    expect(Object.keys(paths['/rpc/teapot'] ?? {})).toEqual(['post']);
    expect(Object.keys(paths['/rpc/page'] ?? {})).toEqual(['get', 'post']);
    expect(Object.keys(paths['/hall_names'] ?? {})).toEqual(['get']);
  });
});
