import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestPostgres, type TestPostgres } from '../support/postgres.ts';
import type { Question } from './support/speak.ts';
import { openStage, type Stage } from './support/stage.ts';

/** In every payload; letters and digits, so that no escaping changes it. */
const CANARY = 'c4n4ryw0rd';

const PAYLOADS = [
  CANARY,
  `'; DROP TABLE own; -- ${CANARY}`,
  `${CANARY}' OR '1'='1`,
  `${CANARY}") OR ("1"="1`,
  `${CANARY}"; SELECT pg_sleep(9); --`,
  `$$ ${CANARY} $$`,
  `$1 ${CANARY} $2`,
  `%L ${CANARY} %I %s`,
  `\\' OR 1=1 -- ${CANARY}`,
  `E'\\x27' ${CANARY}`,
  `U&"\\0022" ${CANARY}`,
  `/* ${CANARY} */ UNION SELECT rolname FROM pg_roles`,
  `${CANARY}\nSELECT 1`,
  `${CANARY}'||(SELECT 1)||'`,
  `ʼ ${CANARY} ＇`,
  `1) UNION SELECT '${CANARY}`,
];

const encode = encodeURIComponent;
type Position = (
  payload: string,
  stage: Stage,
) => Promise<readonly [target: string, question: Question]> | readonly [string, Question];
/** In the quotes of the grammar. */
const quoted = (payload: string): string => `"${payload.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
const json = (value: unknown): string => JSON.stringify(value);
/** What may stand in a header. */
const line = (payload: string): string =>
  Buffer.from(payload.replaceAll('\n', ' '), 'utf8').toString('latin1');

const POSITIONS: Readonly<Record<string, Position>> = {
  'the path': (p) => [`/${encode(p)}`, {}],
  'the path of a function': (p) => [`/rpc/${encode(p)}`, {}],
  'the name of a column': (p) => [`/own?${encode(p)}=eq.1`, {}],
  'a value': (p) => [`/own?text=eq.${encode(p)}`, {}],
  'an operator': (p) => [`/own?text=${encode(p)}.x`, {}],
  'a list': (p) => [
    `/own?text=in.(${encode(p)},"${encode(p.replaceAll('\\', '\\\\').replaceAll('"', '\\"'))}")`,
    {},
  ],
  'a quantified array': (p) => [`/own?text=eq(any).{${encode(p)}}`, {}],
  'a pattern': (p) => [`/own?text=ilike.*${encode(p)}*`, {}],
  'a regular expression': (p) => [`/own?text=match.${encode(p)}`, {}],
  'full text search': (p) => [`/own?text=plfts.${encode(p)}`, {}],
  'the language of a search': (p) => [`/own?text=fts(${encode(p)}).x`, {}],
  'a tree of conditions': (p) => [`/own?or=(text.eq.${encode(p)},id.eq.1)`, {}],
  select: (p) => [`/own?select=${encode(p)}`, {}],
  'an alias': (p) => [`/own?select=${encode(p)}:text`, {}],
  'an alias in quotes': (p) => [`/own?select=${encode(quoted(p))}:text`, {}],
  'an alias of a JSON path': (p) => [`/own?select=${encode(quoted(p))}:id->x`, {}],
  'an alias of a whole row’s embed': (p) => [`/notes?select=id,${encode(quoted(p))}:own(text)`, {}],
  'an alias in an embed': (p) => [`/notes?select=id,own(${encode(quoted(p))}:text)`, {}],
  'an alias in a spread': (p) => [`/notes?select=id,...own(${encode(quoted(p))}:text)`, {}],
  'the last key of a JSON path': (p) => [`/notes?select=data->${encode(quoted(p))}`, {}],
  'a column in quotes': (p) => [`/own?select=${encode(quoted(p))}&order=${encode(quoted(p))}`, {}],
  'a timeout': (p) => ['/own', { headers: { 'x-cascata-timeout-ms': line(p) } }],
  'a trace': (p) => ['/own', { headers: { traceparent: line(p), 'x-request-id': line(p) } }],
  'a cast': (p) => [`/own?select=text::${encode(p)}`, {}],
  'an alias in CSV': (p) => [`/own?select=${encode(quoted(p))}:text`, { headers: { accept: 'text/csv' } }],
  'an alias in lines': (p) => [
    `/own?select=${encode(quoted(p))}:text`,
    { headers: { accept: 'application/x-ndjson' } },
  ],
  'an alias of what a change returns': (p) => [
    `/own?id=eq.1&select=${encode(quoted(p))}:text`,
    { method: 'PATCH', headers: { prefer: 'return=representation' }, body: '{"id":1}' },
  ],
  'an alias of an embed and of a column in it': (p) => [
    `/notes?select=id,${encode(quoted(p))}:own(${encode(quoted(p))}:text)&order=${encode(quoted(p))}(id)`,
    {},
  ],
  'an alias of an aggregate': (p) => [`/own?select=${encode(quoted(p))}:id.count()`, {}],
  'a value that is counted by plan': (p) => [
    `/own?text=eq.${encode(p)}`,
    { headers: { prefer: 'count=estimated' } },
  ],
  'a column of an embed': (p) => [`/notes?select=id,own(${encode(quoted(p))})`, {}],
  'a JSON path': (p) => [`/own?select=id->${encode(p)}`, {}],
  'an embed': (p) => [`/own?select=${encode(p)}(*)`, {}],
  'an order': (p) => [`/own?order=${encode(p)}.desc`, {}],
  'a limit': (p) => [`/own?limit=${encode(p)}`, {}],
  columns: (p) => [`/own?columns=${encode(p)}`, { method: 'POST', body: '{"id":5}' }],
  on_conflict: (p) => [`/own?on_conflict=${encode(p)}`, { method: 'POST', body: '{"id":1}' }],
  'a value of the body': (p) => ['/own?id=eq.1', { method: 'PATCH', body: json({ text: p }) }],
  'a key of the body': (p) => ['/own', { method: 'POST', body: json({ [p]: 1 }) }],
  'a body of CSV': (p) => [
    '/own',
    {
      method: 'POST',
      headers: { 'content-type': 'text/csv' },
      body: `id,text\n7,"${p.replaceAll('"', '""')}"\n`,
    },
  ],
  'a head of CSV': (p) => [
    '/own',
    {
      method: 'POST',
      headers: { 'content-type': 'text/csv' },
      body: `id,"${p.replaceAll('"', '""')}"\n7,x\n`,
    },
  ],
  'a form': (p) => [
    '/rpc/run',
    {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: `${encode(p)}=${encode(p)}`,
    },
  ],
  'an argument’s name': (p) => [`/rpc/headers?${encode(p)}=1`, {}],
  'an argument': (p) => [
    `/rpc/headers?list=[]&status=${encode(p)}`,
    { method: 'POST', body: json({ list: p, status: p }) },
  ],
  'Accept-Profile': (p) => ['/own', { headers: { 'accept-profile': line(p) } }],
  'Content-Profile': (p) => ['/own', { method: 'POST', headers: { 'content-profile': line(p) }, body: '{}' }],
  Prefer: (p) => ['/own', { headers: { prefer: `timezone=${line(p)}, handling=strict` } }],
  Range: (p) => ['/own', { headers: { range: line(p) } }],
  Accept: (p) => ['/own', { headers: { accept: line(p) } }],
  'Content-Type': (p) => ['/own', { method: 'POST', headers: { 'content-type': line(p) }, body: '{}' }],
  'any header': (p) => [
    '/own',
    { headers: { 'x-any': line(p), cookie: `a=${line(p)}`, 'user-agent': line(p) } },
  ],
  'the key': (p) => ['/own', { headers: { apikey: line(p) } }],
  'a claim': async (p, stage) => [
    '/own',
    { headers: { apikey: '', ...(await bearer(stage, { role: 'service_role', sub: p, [p]: p })) } },
  ],
  'the role claim': async (p, stage) => [
    '/own',
    { headers: { apikey: '', ...(await bearer(stage, { role: p })) } },
  ],
};

async function bearer(stage: Stage, claims: Record<string, unknown>): Promise<Record<string, string>> {
  return { authorization: `Bearer ${await stage.sign(stage.attacker, claims)}` };
}

let server: TestPostgres;
let stage: Stage;
const log: string[] = [];

beforeAll(async () => {
  server = await startTestPostgres({
    settings: {
      shared_preload_libraries: 'pg_stat_statements',
      'pg_stat_statements.track': 'all',
      // Every text, also of statements inside functions and of those that only SET something.
      'pg_stat_statements.max': '20000',
      // And those that failed before they ran, as they were sent: without their parameters.
      log_statement: 'all',
      log_parameter_max_length: '0',
      log_parameter_max_length_on_error: '0',
      log_line_prefix: '',
    },
    onLogLine: (line) => log.push(line),
  });
  stage = await openStage({ serverUrl: server.url });
  await stage.admin.shared('CREATE SCHEMA watch; CREATE EXTENSION pg_stat_statements SCHEMA watch');
});
afterAll(async () => {
  await stage?.stop();
  await server?.stop();
});

/** Texts of all statements so far that hold the word, constants included: utility statements keep theirs. */
async function statements(): Promise<readonly string[]> {
  const rows = await stage.admin.shared<{ query: string }>(
    `SELECT query FROM watch.pg_stat_statements WHERE query ILIKE '%' || $1 || '%' AND query NOT LIKE '%pg_stat_statements%'`,
    [CANARY],
  );
  return rows.map(({ query }) => query);
}

test.each(Object.entries(POSITIONS))('SQL in %s stays a value', async (_, position) => {
  const before = (await stage.run('SELECT count(*) FROM own')).text;
  for (const payload of PAYLOADS) {
    const [target, question] = await position(payload, stage);
    const { status, text } = await stage.call(stage.attacker, target, question);
    // 42601 would be a statement that the payload has broken.
    expect([target, status, /"code":"(42601|GW901|XX000)"/.test(text)]).toEqual([
      target,
      expect.any(Number),
      false,
    ]);
    expect(status).not.toBe(500);
  }
  expect(Number(JSON.parse((await stage.run('SELECT count(*) FROM own')).text))).toBeGreaterThanOrEqual(
    Number(JSON.parse(before)),
  );
});

/** What was sent, from the server's log: statements, those that were prepared, and those that failed. Lines that go on begin with a tab. */
function sentTexts(): readonly string[] {
  const texts: string[] = [];
  let isSent = false;
  for (const line of log) {
    if (!line.startsWith('\t')) {
      isSent = /^(?:LOG: {2}(?:statement|execute [^:]*): |STATEMENT: )/.test(line);
      if (isSent) texts.push(line);
    } else if (isSent) texts[texts.length - 1] += line;
  }
  return texts;
}

test('no statement that was sent, or that PostgreSQL ran inside a function, had a word of a client in it', async () => {
  // Both watches see what they are looked through for: a statement with the word in its text is there.
  await stage.run(`SELECT 1 AS ${CANARY}`);
  await stage.admin.shared(`SELECT 2 AS ${CANARY}`);
  const ran = await statements();
  expect([...ran].sort()).toEqual([`SELECT $1 AS ${CANARY}`, `SELECT $1 AS ${CANARY}`]);
  const sent = sentTexts();
  expect(sent.length).toBeGreaterThan(1_000);
  const holding = sent.filter((text) => text.toLowerCase().includes(CANARY));
  expect(holding.filter((text) => !text.includes('watch.pg_stat_statements'))).toEqual([
    `LOG:  statement: SELECT 2 AS ${CANARY}`,
  ]);
});
