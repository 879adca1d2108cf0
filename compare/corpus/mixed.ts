import { type CorpusRequest, corpusRequest } from './corpus-request.ts';
import { SeededRandom } from './random.ts';

interface Kind {
  readonly table: string;
  readonly columns: readonly string[];
  readonly embeds: readonly Kind[];
}

const CLIENT: Kind = { table: 'clients', columns: ['id', 'name'], embeds: [] };
const TASK: Kind = { table: 'tasks', columns: ['id', 'name', 'project_id'], embeds: [] };
const USER: Kind = { table: 'users', columns: ['id', 'name'], embeds: [TASK] };
const PROJECT: Kind = {
  table: 'projects',
  columns: ['id', 'name', 'client_id'],
  embeds: [CLIENT, TASK, USER],
};
const KINDS: readonly Kind[] = [
  PROJECT,
  { ...CLIENT, embeds: [PROJECT] },
  { ...TASK, embeds: [PROJECT, USER] },
  { table: 'projects_view', columns: ['id', 'name', 'client_id'], embeds: [CLIENT, TASK] },
];
const VALUES = ['1', '2', '3', 'IOS', 'Windows 7', 'null', '', 'x', '-1'];
const COMPARISONS = ['eq', 'neq', 'gt', 'gte', 'lt', 'lte', 'like', 'ilike', 'match', 'isdistinct'];
const ACCEPTS = [
  'application/json',
  'text/csv',
  'application/vnd.pgrst.object+json',
  'application/vnd.pgrst.array+json;nulls=stripped',
];
const READ_PREFERENCES = [
  'count=exact',
  'count=planned',
  'count=estimated',
  'handling=strict',
  'timezone=Asia/Tokyo',
];

/** `count` requests put together at random from the parts of the grammar. */
export function mixedRequests(seed: number, count: number): CorpusRequest[] {
  const random = new SeededRandom(seed);
  return Array.from({ length: count }, (_, i) => mixedRequest(random, i));
}

function mixedRequest(random: SeededRandom, i: number): CorpusRequest {
  const kind = random.pick(KINDS);
  const parts: string[] = [];
  const name = `number ${i}`;
  const headers: Record<string, string> = {};
  if (!random.once(5)) parts.push(`select=${select(random, kind, 0, parts, '')}`);
  for (let n = random.below(3); n > 0; n--) parts.push(filter(random, kind, ''));
  if (random.once(4)) parts.push(logic(random, kind, ''));
  if (random.once(2)) parts.push(`order=${order(random, kind)}`);
  if (random.once(4)) parts.push(`limit=${random.below(4)}`);
  if (random.once(5)) parts.push(`offset=${random.below(4)}`);
  if (random.once(3)) headers.accept = random.pick(ACCEPTS);
  if (random.once(3)) headers.prefer = random.some(READ_PREFERENCES, 2).join(', ');
  const query = parts.length === 0 ? '' : `?${parts.join('&')}`;
  const verb = random.below(8);
  if (verb === 0) return corpusRequest('mixed', `/${kind.table}${query}`, { name, method: 'HEAD', headers });
  if (verb === 1 || verb === 2) return change(random, kind, query, { name, headers });
  if (verb === 3 && kind.table === 'projects')
    return corpusRequest('mixed', `/rpc/getallprojects${query}`, { name, headers });
  return corpusRequest('mixed', `/${kind.table}${query}`, { name, headers });
}

function change(
  random: SeededRandom,
  kind: Kind,
  query: string,
  rest: { name: string; headers: Record<string, string> },
): CorpusRequest {
  rest.headers.prefer = random.pick([
    'return=representation',
    'return=representation,count=exact',
    'return=minimal',
    'return=headers-only',
  ]);
  const path = `/${kind.table}${query}`;
  const method = random.pick(['POST', 'PATCH', 'DELETE']);
  if (method === 'DELETE') return corpusRequest('mixed', path, { ...rest, method });
  const fresh = 100 + random.below(50);
  const row = method === 'POST' ? { id: fresh, name: `n${fresh}` } : { name: `changed ${fresh}` };
  const many = method === 'POST' && random.once(3) ? [row, { id: 200, name: 'second' }] : row;
  return corpusRequest('mixed', path, { ...rest, method, body: many });
}

function select(random: SeededRandom, kind: Kind, depth: number, parts: string[], prefix: string): string {
  const items: string[] = random.once(4)
    ? ['*']
    : random.some(kind.columns, 3).map((column) => decorate(random, column));
  if (depth < 3 && kind.embeds.length > 0 && random.once(2)) {
    const embed = random.pick(kind.embeds);
    const path = `${prefix}${embed.table}.`;
    const inner = select(random, embed, depth + 1, parts, path);
    items.push(`${embed.table}${random.pick(['', '', '!inner', '!left'])}(${inner})`);
    if (random.once(4)) parts.push(filter(random, embed, path));
    if (random.once(6)) parts.push(logic(random, embed, path));
    if (random.once(4)) parts.push(`${path}order=${order(random, embed)}`);
    if (random.once(5)) parts.push(`${path}limit=${random.below(3)}`);
    if (random.once(6)) parts.push(`${prefix}${embed.table}=${random.pick(['is.null', 'not.is.null'])}`);
  }
  return items.join(',');
}

function decorate(random: SeededRandom, column: string): string {
  if (random.once(8)) return `x_${column}:${column}`;
  if (random.once(8)) return `${column}::text`;
  if (random.once(20)) return `${column}.${random.pick(['count', 'max', 'min'])}()`;
  return column;
}

function filter(random: SeededRandom, kind: Kind, prefix: string): string {
  const column = random.pick(kind.columns);
  return `${prefix}${column}=${operation(random)}`;
}

function operation(random: SeededRandom): string {
  const not = random.once(4) ? 'not.' : '';
  if (random.once(6)) return `${not}in.(${random.some(VALUES.slice(0, 3), 3).join(',')})`;
  if (random.once(6)) return `${not}is.${random.pick(['null', 'true', 'unknown'])}`;
  if (random.once(8)) return `${not}eq(any).{1,2}`;
  return `${not}${random.pick(COMPARISONS)}.${random.pick(VALUES.slice(0, random.once(3) ? 9 : 3))}`;
}

function logic(random: SeededRandom, kind: Kind, prefix: string): string {
  const terms = random.some([0, 1, 2], 3).map(() => `${random.pick(kind.columns)}.${operation(random)}`);
  const nested = random.once(3) ? `,${random.pick(['and', 'or', 'not.and'])}(id.gt.1,${terms[0]})` : '';
  return `${prefix}${random.once(4) ? 'not.' : ''}${random.pick(['or', 'and'])}=(${terms.join(',')}${nested})`;
}

function order(random: SeededRandom, kind: Kind): string {
  return random
    .some(kind.columns, 2)
    .map((column) => column + random.pick(['', '.desc', '.asc', '.nullsfirst', '.desc.nullslast']))
    .join(',');
}
