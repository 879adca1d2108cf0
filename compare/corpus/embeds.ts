import { type CorpusRequest, corpusRequest } from './corpus-request.ts';

const PARENTS = [
  'clients', 'projects', 'tasks', 'users', 'users_tasks', 'users_projects', 'comments', 'countries', 'capitals', 'anthems', 'mottos', 'family_tree', 'organizations', 'people_friends', 'addresses', 'orders', 'sites', 'big_projects',
  'jobs', 'main_jobs', 'compound_pk', 'compound_child', 'car_models', 'car_dealers', 'car_sales', 'projects_view', 'projects_view_alt', 'clients_view', 'tasks_renamed', 'tasks_chain', 'tasks_chain_of_chain', 'projects_with_client', 'projects_twice',
  'all_names', 'projects_materialized', 'actors', 'films', 'personnages', 'designers', 'videogames', 'no_pk',
];

/** Every relation embedded in every other one: what can be joined, what cannot, and what has several ways. */
function pairs(): CorpusRequest[] {
  return PARENTS.flatMap((parent, i) =>
    PARENTS.map((child, j) => {
      const join = ['', '', '!inner', '!left'][(i * 7 + j) % 4]!;
      const form = (i + j) % 5 === 4 ? `/${parent}?select=*,...${child}${join}(*)` : `/${parent}?select=*,${child}${join}(*)`;
      return corpusRequest('pairs', form);
    }),
  );
}

const HINTS = [
  '/orders?select=id,addresses(*)', '/orders?select=id,addresses!billing(*)', '/orders?select=id,b:addresses!billing(address),s:addresses!shipping(address)', '/orders?select=id,billing(*)', '/orders?select=id,billing_address_id(*)', '/orders?select=id,addresses!billing_address_id(*)',
  '/orders?select=id,addresses!nosuch(*)', '/addresses?select=id,orders(*)', '/addresses?select=id,orders!billing(*)', '/addresses?select=id,orders!billing_address_id(*)', '/addresses?select=id,billing(*)', '/sites?select=*,big_projects(*)', '/sites?select=*,big_projects!main_project(*)',
  '/sites?select=*,big_projects!jobs(*)', '/sites?select=*,big_projects!main_jobs(*)', '/sites?select=*,main_project_id(*)', '/big_projects?select=*,sites!jobs(*)', '/big_projects?select=*,sites!main_project(*)', '/organizations?select=id,organizations(*)', '/organizations?select=id,referee(name)',
  '/organizations?select=id,organizations!referee(id)', '/organizations?select=id,a:auditor(name),r:referee(name)', '/organizations?select=id,organizations!organizations_referee_fkey(id)', '/family_tree?select=id,family_tree(id)', '/family_tree?select=id,parent(id,parent(id))', '/family_tree?select=id,siblings(id)',
  '/family_tree?select=id,parent_of(name)', '/family_tree?select=id,family_tree!parent(id,family_tree!parent(id))', '/projects_twice?select=*,clients(*)', '/projects_twice?select=*,clients!client_a(*)', '/projects_twice?select=*,client_a(*)', '/compound_child?select=*,compound_pk(*)', '/compound_child?select=*,compound_child_parent(*)',
  '/compound_child?select=*,parent_k1(*)', '/users?select=id,people_friends(*)', '/users?select=id,people_friends!person_id(*)', '/users?select=id,users(*)', '/users?select=id,users!people_friends(*)', '/comments?select=*,users_tasks(*)', '/comments?select=*,users(*)', '/comments?select=*,commenter_id(*)',
  '/users?select=id,comments(*)', '/users?select=id,tasks(id)', '/tasks?select=id,users(id)', '/tasks?select=id,users!users_tasks(id)', '/videogames?select=id,computed_designer(*)', '/designers?select=id,computed_videogames(*)', '/videogames?select=id,related(*)', '/designers?select=id,related(id)', '/videogames?select=id,designers(*)',
  '/videogames?select=id,designer_id(*)', '/designers?select=id,computed_videogames!inner(id)&computed_videogames.id=eq.1', '/designers?select=id,computed_videogames(id)&computed_videogames.order=id.desc&computed_videogames.limit=1', '/videogames?select=id,computed_designer(name)&order=computed_designer(name).desc', '/car_dealers?select=*,car_models(*)',
  '/car_models?select=*,car_dealers(*)', '/car_sales?select=*,car_dealers(*,car_models(*))', '/films?select=*,actors(*)', '/actors?select=*,films(*)', '/films?select=*,personnages(*)', '/personnages?select=*,films(*),actors(*)', '/countries?select=*,capitals(*),anthems(*),mottos(*)',
];

const SHAPES = [
  'select=id,clients()', 'select=id,clients!inner()', 'select=id,clients!inner()&clients.id=eq.1', 'select=clients()', 'select=()', 'select=id,clients', 'select=id,clients(', 'select=id,clients(*', 'select=id,clients(*))', 'select=id,clients(id)name', 'select=id,clients(nosuch)', 'select=id,clients(id,nosuch(*))', 'select=id,c:clients(*)',
  'select=id,c:clients!inner(*)&c.id=eq.1', 'select=id,c:clients(*)&clients.id=eq.1', 'select=id,c:clients(*)&c.id=eq.1', 'select=id,clients!inner!client_id(*)', 'select=id,clients!client_id!inner(*)', 'select=id,clients!inner!left(*)', 'select=id,clients!client_id!projects_client_id_fkey(*)', 'select=id,clients!(*)', 'select=id,!inner(*)',
  'select=id,clients(id),clients(name)', 'select=id,a:clients(id),b:clients(name)', 'select=id,clients(*),tasks(*)', 'select=id,tasks(id,users(id))', 'select=id,tasks(id,users(id,comments(*)))', 'select=id,tasks!inner(id)&tasks.name=like.*w7', 'select=id,tasks(id)&tasks.name=like.*w7', 'select=id,tasks(id)&tasks=is.null', 'select=id,tasks(id)&tasks=not.is.null',
  'select=id,clients(id)&clients=is.null', 'select=id,clients(id)&clients=not.is.null', 'select=id,clients(id)&clients=is.true', 'select=id,clients(id)&clients=eq.1', 'select=id,clients(id)&clients=in.(1)', 'select=id,tasks(id)&tasks=eq.1', 'select=id&clients=is.null', 'select=id,clients!inner(id)&clients.name=eq.Apple', 'select=id,clients(id)&clients.nosuch=eq.1',
  'select=id,clients(id)&nosuch.id=eq.1', 'select=id,clients(id)&clients.tasks.id=eq.1', 'select=id,clients(id)&nosuch.order=id', 'select=id,clients(id)&nosuch.limit=1', 'select=id,...clients(name)', 'select=id,...clients(client:name)', 'select=id,...clients(*)', 'select=id,...clients()', 'select=id,c:...clients(name)', 'select=id,...tasks(name)', 'select=...clients(name)',
  'select=id,...clients!inner(name)', 'select=id,tasks(id,...projects(pname:name,...clients(cname:name)))', 'select=id,...clients(name,projects(id))', 'select=id,...', 'select=id,...clients', 'select=id,....clients(*)', 'select=id,clients(name)&order=clients(name)', 'select=id,c:clients(name)&order=c(name)', 'select=id,c:clients(name)&order=clients(name)', 'select=id,...clients(name)&order=clients(name)',
  'select=id,clients(count())', 'select=id,tasks(count())', 'select=id,tasks(id.sum())', 'select=id,tasks(count(),name)', 'select=client_id,count(),clients(name)', 'select=...clients(name),count()', 'select=...clients(name,id.sum())', 'select=...tasks(id.sum())', 'select=clients(name.count())', 'select=id.sum(),clients(name)', 'select=id,tasks(id.max())&tasks.id=gt.2',
  'select=id,clients(id::text)', 'select=id,clients(a:id,b:name)', 'select=id,shouted', 'select=shouted,clients(name)', 'select=*,shouted', 'shouted=eq.IOS', 'select=id,always_true', 'select=id,tasks(*)&tasks.order=id.desc&tasks.limit=1&id=lt.3', 'select=id,clients!left(id)&clients.id=eq.2', 'select=id,tasks!inner(users!inner(name))&tasks.users.name=like.D*',
  'select=id,tasks(id)&tasks.or=(id.eq.1,id.eq.3)', 'select=id,tasks(id)&tasks.not.and=(id.eq.1,id.eq.3)', 'select=id,clients(projects(clients(projects(id))))', 'select=id,count', 'select=count(*)', 'select=id,clients(*)&clients.select=id', 'select=id,users(id)', 'select=id,users_projects(*),users(*)', 'select=*,client_id(*)', 'select=*,client_id:client_id(*)', 'select=client_id,client_id(*)',
];

export function embedRequests(): CorpusRequest[] {
  return [
    ...pairs(),
    ...HINTS.map((path) => corpusRequest('hints', path)),
    ...SHAPES.map((query) => corpusRequest('embeds', `/projects?${query}`)),
    ...SHAPES.slice(0, 60).map((query) => corpusRequest('embeds', `/projects?${query}`, { headers: { accept: 'text/csv' } })),
    ...SHAPES.slice(0, 80).map((query) =>
      corpusRequest('embeds', `/projects?${query}`, { method: 'HEAD', headers: { prefer: 'count=exact' } }),
    ),
    ...SHAPES.slice(0, 90).map((query) => corpusRequest('embeds', `/rpc/getallprojects?${query}`)),
    ...SHAPES.slice(0, 90).map((query) =>
      corpusRequest('embeds', `/projects?${query}`, { body: { id: 77, name: 'New', client_id: 2 }, headers: { prefer: 'return=representation' } }),
    ),
    ...SHAPES.slice(0, 90).map((query) =>
      corpusRequest('embeds', `/projects?id=eq.3&${query}`, { method: 'PATCH', body: { name: 'Changed' }, headers: { prefer: 'return=representation' } }),
    ),
  ];
}
