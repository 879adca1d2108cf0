import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../../test/support/database.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { ask } from './support/ask.ts';

/** Every byte there is, and more than one line of base64. */
const IMAGE = Buffer.concat([
  Buffer.from(Array.from({ length: 256 }, (_, byte) => byte)),
  randomBytes(10_000),
]);

let database: TestDatabase;
let gateway: TestGateway;

beforeAll(async () => {
  database = await createTestDatabase({
    sql: `
      CREATE DOMAIN "image/png" AS bytea;
      CREATE TABLE images (id int PRIMARY KEY, image bytea);
      INSERT INTO images VALUES (1, '\\x${IMAGE.toString('hex')}');
      CREATE FUNCTION image(id int) RETURNS "image/png" STABLE LANGUAGE sql AS
        $$ SELECT i.image::"image/png" FROM images i WHERE i.id = image.id $$;
      CREATE FUNCTION image_step(state "image/png", i images) RETURNS "image/png" LANGUAGE sql AS
        $$ SELECT (state || i.image)::"image/png" $$;
      CREATE AGGREGATE images_image (images) (SFUNC = image_step, STYPE = "image/png", INITCOND = '');
    `,
  });
  gateway = await startGateway({
    databaseUrl: database.url,
    postgrest: { 'db-anon-role': 'postgres' },
    jwtSecret: 'secret-of-media-bytes-with-32-characters',
  });
});

afterAll(async () => {
  await gateway?.close();
  await database?.drop();
});

test.each(['/rpc/image?id=1', '/images?id=eq.1'])('M8: %s answers the bytes as they are', async (path) => {
  const answer = await ask(gateway, `/rest/v1${path}`, { headers: { accept: 'image/png' } });
  expect(answer.bytes.equals(IMAGE)).toBe(true);
  expect(answer.headers).toMatchObject({
    'content-type': 'image/png',
    'content-length': String(IMAGE.length),
  });
});

test('M8: a function that finds nothing answers an empty body', async () => {
  const answer = await ask(gateway, '/rest/v1/rpc/image?id=2', { headers: { accept: 'image/png' } });
  expect([answer.status, answer.bytes.length]).toEqual([200, 0]);
});
