import { BARE, type ConformanceCase, errorBody } from './case.ts';

export const ROOT: readonly ConformanceCase[] = [
  // The root
  {
    ids: ['X2', 'R1'],
    name: 'the root is a Swagger document',
    path: '/',
    text: /"swagger":"2\.0"/,
    responseHeaders: { 'content-type': 'application/openapi+json; charset=utf-8' },
  },
  {
    ids: ['X2'],
    name: 'the title and description come from the schema’s comment',
    path: '/',
    text: /"title":"Concert hall"/,
  },
  { ids: ['X2'], name: 'tables are paths', path: '/', text: /"\/composers":\{/ },
  { ids: ['X2'], name: 'functions are paths', path: '/', text: /"\/rpc\/add_up":\{/ },
  { ids: ['X2'], name: 'columns carry their comments', path: '/', text: /Year of birth/ },
  { ids: ['X2'], name: 'primary keys are marked', path: '/', text: /This is a Primary Key\.<pk\/>/ },
  {
    ids: ['X2'],
    name: 'foreign keys are marked',
    path: '/',
    text: /This is a Foreign Key to `composers\.id`\.<fk table='composers' column='id'\/>/,
  },
  {
    ids: ['X2', 'H1'],
    name: 'the root of another profile',
    path: '/',
    headers: { 'accept-profile': 'archive' },
    text: /"\/letters":\{/,
  },
  {
    ids: ['X2', 'M9'],
    name: 'the root as plain JSON',
    path: '/',
    headers: { accept: 'application/json' },
    text: /"swagger":"2\.0"/,
  },
  {
    ids: ['X2', 'M9'],
    name: 'the root is nothing else',
    path: '/',
    headers: { accept: 'text/csv' },
    status: 406,
    since: 13,
    jsonIncludes: { code: 'PGRST107' },
  },
  {
    ids: ['X2'],
    name: 'the root can be switched off',
    since: 13,
    variant: 'bare',
    path: '/',
    claims: BARE,
    status: 404,
    json: errorBody('PGRST126', 'Root endpoint metadata is disabled'),
  },
];
