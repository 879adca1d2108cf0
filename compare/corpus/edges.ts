import { signClaims } from '../sign.ts';
import { type CorpusRequest, corpusRequest } from './corpus-request.ts';

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'PROPFIND', 'LOCK'];
const PLACES = [
  '/',
  '/clients',
  '/nosuch',
  '/rpc/add_them',
  '/rpc/nosuch',
  '/rpc/ret_void',
  '/rpc/delete_items',
  '/a/b',
  '/rpc/a/b',
  '/projects_materialized',
  '/read_only_clients',
  '/writable_by_trigger',
  '/projects_view',
  '//',
  '/clients/',
  '/rpc',
  '/rpc/',
  '/%2F',
  '/%E0%A4',
  '/clients%20',
  '/.',
  '/..',
  '/clients%00',
  '/%22clients%22',
];

const PROFILES = ['test', 'v1', 'v2', 'private', 'nosuch', '', 'TEST', 'test,v1', ' v1', '"v1"'];

function profiles(): CorpusRequest[] {
  return PROFILES.flatMap((profile) => [
    corpusRequest('profiles', '/parents', {
      headers: { 'accept-profile': profile },
      name: `read of ${profile}`,
    }),
    corpusRequest('profiles', '/clients?limit=1', {
      headers: { 'accept-profile': profile },
      name: `clients of ${profile}`,
    }),
    corpusRequest('profiles', '/parents', {
      method: 'HEAD',
      headers: { 'accept-profile': profile },
      name: `HEAD of ${profile}`,
    }),
    corpusRequest('profiles', '/parents', {
      method: 'OPTIONS',
      headers: { 'accept-profile': profile },
      name: `OPTIONS of ${profile}`,
    }),
    corpusRequest('profiles', '/parents', {
      headers: { 'content-profile': profile, prefer: 'return=representation' },
      body: { id: 50, name: 'x' },
      name: `insert into ${profile}`,
    }),
    corpusRequest('profiles', '/parents?id=eq.1', {
      method: 'DELETE',
      headers: { 'content-profile': profile },
      name: `delete of ${profile}`,
    }),
    corpusRequest('profiles', '/parents', {
      headers: { 'content-profile': profile },
      name: `read with the wrong header of ${profile}`,
    }),
    corpusRequest('profiles', '/rpc/get_parents_below?id=6', {
      headers: { 'accept-profile': profile },
      name: `call by GET of ${profile}`,
    }),
    corpusRequest('profiles', '/rpc/get_parents_below', {
      headers: { 'content-profile': profile },
      body: { id: 6 },
      name: `call by POST of ${profile}`,
    }),
    corpusRequest('profiles', '/children?select=*,parents(*)', {
      headers: { 'accept-profile': profile },
      name: `embed of ${profile}`,
    }),
  ]);
}

function tokens(): CorpusRequest[] {
  const claims: readonly unknown[] = [
    { role: 'authenticated' },
    { role: 'nosuch' },
    {},
    { role: 1 },
    { role: null },
    { role: ['anon'] },
    { role: { a: 1 } },
    { role: '' },
    { role: 'anon', exp: 1 },
    { role: 'anon', exp: 'x' },
    { role: 'anon', exp: 4102444800.5 },
    { role: 'anon', nbf: 4102444800 },
    { role: 'anon', iat: 4102444800 },
    { role: 'anon', aud: 'x' },
    { role: 'anon', aud: ['x', 'y'] },
    { role: 'anon', aud: 1 },
    { role: 'anon', nbf: 'x' },
    { role: 'anon', iat: null },
    { role: 'compare_master' },
    { role: 'postgres' },
    'text',
    [1],
    null,
  ];
  const raw = [
    'Bearer',
    'Bearer ',
    'Bearer x',
    'Bearer a.b',
    'Bearer a.b.c',
    'Bearer a.b.c.d',
    'bearer x',
    'Basic dXNlcjpwYXNz',
    'Token x',
    'x',
    '',
    'Bearer  x',
    `Bearer ${signClaims({ role: 'anon' }, 'another secret of at least 32 characters')}`,
    `Bearer ${unsigned({ role: 'anon' })}`,
    `Bearer ${signClaims({ role: 'anon' })}x`,
    `bearer ${signClaims({ role: 'authenticated' })}`,
    `Bearer ${signClaims({ role: 'authenticated' })} `,
    `Bearer  ${signClaims({ role: 'authenticated' })}`,
    `BEARER ${signClaims({ role: 'authenticated' })}`,
  ];
  const both = [
    ...claims.map((claim) => [JSON.stringify(claim), `Bearer ${signClaims(claim)}`] as const),
    ...raw.map((text) => [text.slice(0, 30), text] as const),
  ];
  return both.flatMap(([name, authorization]) => [
    corpusRequest('tokens', '/rpc/echo_claims', { headers: { authorization }, name: `claims of ${name}` }),
    corpusRequest('tokens', '/notes', { headers: { authorization }, name: `notes with ${name}` }),
  ]);
}

function unsigned(claims: unknown): string {
  const parts = [{ alg: 'none' }, claims].map((part) =>
    Buffer.from(JSON.stringify(part)).toString('base64url'),
  );
  return `${parts.join('.')}.`;
}

function origins(): CorpusRequest[] {
  const headers = { origin: 'https://app.example.com' };
  return [
    corpusRequest('cors', '/clients', { headers }),
    corpusRequest('cors', '/nosuch', { headers }),
    corpusRequest('cors', '/clients', { headers, body: { id: 1, name: 'dup' } }),
    corpusRequest('cors', '/clients', { method: 'OPTIONS', headers }),
    corpusRequest('cors', '/clients', {
      method: 'OPTIONS',
      headers: { ...headers, 'access-control-request-method': 'POST' },
    }),
    corpusRequest('cors', '/clients', {
      method: 'OPTIONS',
      headers: {
        ...headers,
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'apikey,x-retry-count, prefer',
      },
    }),
    corpusRequest('cors', '/clients', {
      method: 'OPTIONS',
      headers: { ...headers, 'access-control-request-method': 'TRACE' },
    }),
    corpusRequest('cors', '/nosuch', {
      method: 'OPTIONS',
      headers: { ...headers, 'access-control-request-method': 'GET' },
    }),
  ];
}

const ROOT_HEADERS: readonly Readonly<Record<string, string>>[] = [
  {},
  { accept: 'application/openapi+json' },
  { accept: 'application/json' },
  { accept: 'text/csv' },
  { 'accept-profile': 'v1' },
  { 'accept-profile': 'v2' },
  { 'accept-profile': 'nosuch' },
  { prefer: 'count=exact' },
];

export function edgeRequests(): CorpusRequest[] {
  return [
    ...METHODS.flatMap((method) => PLACES.map((place) => corpusRequest('methods', place, { method }))),
    ...profiles(),
    ...tokens(),
    ...origins(),
    ...ROOT_HEADERS.flatMap((headers) =>
      ['GET', 'HEAD'].map((method) =>
        corpusRequest('root', '/', { method, headers, name: `${method} ${JSON.stringify(headers)}` }),
      ),
    ),
    corpusRequest('root', '/', { as: 'service_role' }),
    corpusRequest('root', '/?select=x'),
  ];
}
