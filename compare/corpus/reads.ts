import { type CorpusRequest, corpusRequest, OBJECT } from './corpus-request.ts';

const RELATIONS = [
  'clients',
  'projects',
  'tasks',
  'users',
  'users_tasks',
  'users_projects',
  'comments',
  'countries',
  'capitals',
  'anthems',
  'mottos',
  'family_tree',
  'organizations',
  'people_friends',
  'addresses',
  'orders',
  'sites',
  'big_projects',
  'jobs',
  'main_jobs',
  'compound_pk',
  'compound_child',
  'no_pk',
  'tiobe_pls',
  'single_unique',
  'only_pk',
  'items',
  'empty_table',
  'car_models',
  'car_models_2021',
  'car_dealers',
  'car_sales',
  'all_types',
  'big_numbers',
  'documents',
  'json_table',
  'ranges',
  'defaults',
  'identity_always',
  'notes',
  'authors_only',
  'projects_view',
  'projects_view_alt',
  'clients_view',
  'tasks_renamed',
  'tasks_chain',
  'tasks_chain_of_chain',
  'projects_with_client',
  'projects_twice',
  'all_names',
  'projects_count_by',
  'read_only_clients',
  'writable_by_trigger',
  'projects_materialized',
  'actors',
  'films',
  'personnages',
  'designers',
  'videogames',
  'paints',
  'paints_view',
  'log',
  'nosuch',
  'project',
  'Projects',
  'private.actors',
  'test.projects',
  'pg_class',
  'clients/',
  'clients/1',
  '/clients',
  '%00',
  'rpc',
  'rpc/',
  'a_trigger',
  'add_them',
];

const MEDIA_TYPES = [
  '*/*',
  'application/json',
  'application/json;charset=utf-8',
  'text/csv',
  'text/csv;charset=utf-8',
  'text/plain',
  'text/html',
  'text/xml',
  'application/octet-stream',
  'application/geo+json',
  'image/png',
  'application/*',
  'text/*',
  '*',
  'application/vnd.pgrst.object+json',
  'application/vnd.pgrst.object',
  'application/vnd.pgrst.object+json;nulls=stripped',
  'application/vnd.pgrst.array+json;nulls=stripped',
  'application/vnd.pgrst.array+json',
  'application/vnd.pgrst.array',
  'application/vnd.pgrst.object;nulls=stripped',
  'application/vnd.pgrst.object+json;nulls=kept',
  'application/vnd.pgrst.array;nulls=stripped',
  'application/openapi+json',
  'application/vnd.pgrst.plan',
  'application/json;nulls=stripped',
  'application/vnd.Lines',
  'application/vnd.lines',
  'unknown/unknown',
  'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8',
  'application/json;q=0.5,text/csv',
  'text/csv;q=0.5,application/json;q=0.4',
  'image/png,application/json',
  'image/png, text/csv;q=0',
  'application/json;q=0,text/csv',
  'nonsense',
  '',
  ',',
  'a/b/c',
  'application/json,',
  'APPLICATION/JSON',
  'Text/CSV',
  'application/vnd.pgrst.object+json,application/json',
  'application/json,application/vnd.pgrst.object+json',
  'application/geo+json;',
  'text/csv;q=0.1,*/*;q=0.9',
];

const ORDERS = [
  'id',
  'id.asc',
  'id.desc',
  'client_id.nullsfirst',
  'client_id.desc.nullslast',
  'client_id.nullslast.desc',
  'client_id.asc.nullsfirst,id.desc',
  'name.desc,id',
  'id.ASC',
  'id.',
  'id.up',
  'id.desc.',
  'id.desc.desc',
  ',id',
  'id,',
  'id,,name',
  '',
  ' id',
  'id ',
  'id , name',
  '"id".desc',
  'nosuch',
  'nosuch.desc',
  'shouted',
  'shouted.desc',
  'clients(name)',
  'clients(name).desc',
  'clients(name).desc.nullslast,id',
  'clients(id,name)',
  'clients()',
  'clients(nosuch)',
  'tasks(id)',
  'clients(name',
  'client_id(name)',
  'id.asc.nullsfirst.x',
  'id->x',
  'name->0',
  'id::text',
  'id.desc,id.asc',
];

const RANGE_HEADERS = [
  '0-1',
  '0-0',
  '1-',
  '-1',
  '5-',
  '14-20',
  '15-',
  '100-',
  '3-2',
  'x',
  '0-x',
  '',
  '0',
  ' 0-1',
  'items=0-1',
  'bytes=0-1',
  '0-1,3-4',
  '0-99999999999999999999',
  '-',
  '1--2',
  '+1-2',
  '01-02',
];

function reads(): CorpusRequest[] {
  return RELATIONS.flatMap((relation) => [
    corpusRequest('relations', `/${relation}`),
    corpusRequest('relations', `/${relation}?limit=1`, { headers: OBJECT }),
    corpusRequest('relations', `/${relation}`, { method: 'HEAD', headers: { prefer: 'count=exact' } }),
    corpusRequest('relations', `/${relation}`, { method: 'OPTIONS' }),
    corpusRequest('relations', `/${relation}?select=*&limit=2`, {
      headers: { accept: 'text/csv' },
      as: 'service_role',
    }),
  ]);
}

function media(): CorpusRequest[] {
  return MEDIA_TYPES.flatMap((accept) =>
    [
      '/projects?order=id',
      '/projects?id=eq.1&select=id,name',
      '/tiobe_pls?select=name',
      '/empty_table',
      '/rpc/getallprojects',
      '/rpc/add_them?a=1&b=2',
    ].map((path) =>
      corpusRequest('media types', path, { name: `${accept} of ${path}`, headers: { accept } }),
    ),
  ).concat(
    MEDIA_TYPES.map((accept) =>
      corpusRequest('media types', '/', { name: `${accept} of /`, headers: { accept } }),
    ),
    MEDIA_TYPES.map((accept) =>
      corpusRequest('media types', '/clients', {
        name: `${accept} of an insert`,
        body: { id: 90, name: 'x' },
        headers: { accept, prefer: 'return=representation' },
      }),
    ),
  );
}

function orders(): CorpusRequest[] {
  return ORDERS.flatMap((order) => [
    corpusRequest('orders', `/projects?select=id&order=${order}`),
    corpusRequest('orders', `/projects?select=id,clients(name)&order=${order}`),
    corpusRequest('orders', `/clients?select=id,projects(id)&projects.order=${order}`),
  ]);
}

function pages(): CorpusRequest[] {
  const counts = [undefined, 'count=exact', 'count=planned', 'count=estimated', 'count=none'];
  const windows = [
    '',
    '?limit=3',
    '?limit=3&offset=13',
    '?offset=20',
    '?limit=0',
    '?offset=15',
    '?limit=-1',
    '?offset=-1',
    '?id=gt.5&limit=2',
  ];
  const byHeader = RANGE_HEADERS.flatMap((range, i) => {
    const count = counts[i % 2];
    return ['/items', '/items?limit=5&offset=2', '/empty_table'].map((path) =>
      corpusRequest('ranges', path, {
        name: `Range ${range} of ${path}`,
        headers: { range, 'range-unit': 'items', ...(count === undefined ? {} : { prefer: count }) },
      }),
    );
  });
  const byQuery = windows.flatMap((window) =>
    counts.flatMap((count) =>
      ['GET', 'HEAD'].map((method) =>
        corpusRequest('ranges', `/items${window}`, {
          name: `${method} ${count ?? 'no count'} of /items${window}`,
          method,
          headers: count === undefined ? {} : { prefer: count },
        }),
      ),
    ),
  );
  const elsewhere = [
    corpusRequest('ranges', '/items', { method: 'HEAD', headers: { range: '0-1' } }),
    corpusRequest('ranges', '/items', { headers: { range: '0-1', 'range-unit': 'bytes' } }),
    corpusRequest('ranges', '/items', { headers: { range: '0-1' } }),
    corpusRequest('ranges', '/rpc/getallprojects', { headers: { range: '1-2', 'range-unit': 'items' } }),
    corpusRequest('ranges', '/rpc/getallprojects', { headers: { range: '1-2', prefer: 'count=exact' } }),
    corpusRequest('ranges', '/rpc/getallprojects', {
      body: {},
      headers: { range: '1-2', prefer: 'count=exact' },
    }),
    corpusRequest('ranges', '/clients?select=id,projects(id)&projects.limit=1&projects.offset=1'),
    corpusRequest('ranges', '/clients?select=id,projects(id)&projects.limit=-1'),
    corpusRequest('ranges', '/clients?select=id,projects(id)&projects.offset=-1'),
    corpusRequest('ranges', '/clients?select=id,projects(id)&projects.limit=0'),
    corpusRequest(
      'ranges',
      '/clients?select=id,projects(id,tasks(id))&projects.tasks.limit=1&projects.tasks.order=id.desc',
    ),
    corpusRequest('ranges', '/projects?select=id,clients(id)&clients.limit=0'),
  ];
  return [...byHeader, ...byQuery, ...elsewhere];
}

const PLAN_TYPES = [
  'application/vnd.pgrst.plan',
  'application/vnd.pgrst.plan+text',
  'application/vnd.pgrst.plan+json',
  'application/vnd.pgrst.plan; for="application/json"',
  'application/vnd.pgrst.plan+text; for="text/csv"; options=verbose',
  'application/vnd.pgrst.plan+json; options=verbose|settings',
  'application/vnd.pgrst.plan+text; for="application/json"; options=;',
  'application/vnd.pgrst.plan+text; for="image/png"',
  'application/vnd.pgrst.plan+xml',
  'application/vnd.pgrst.plan+text; options=nosuch',
];

function plans(): CorpusRequest[] {
  return PLAN_TYPES.flatMap((accept) =>
    ['/projects?id=eq.1', '/rpc/getallprojects', '/clients?select=id,projects(id)'].map((path) =>
      corpusRequest('plans', path, { name: `${accept} of ${path}`, headers: { accept } }),
    ),
  );
}

export function readRequests(): CorpusRequest[] {
  return [...reads(), ...media(), ...orders(), ...pages(), ...plans()];
}
