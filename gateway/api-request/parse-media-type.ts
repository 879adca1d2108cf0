import type { MediaType, PlanOption } from './media-type.ts';

const ANY: MediaType = { kind: 'any' };
const JSON_TYPE: MediaType = { kind: 'json' };
const ACCEPT_ANY: readonly MediaType[] = [ANY];
const ACCEPT_JSON: readonly MediaType[] = [JSON_TYPE];
const PLAN_OPTIONS: readonly PlanOption[] = ['analyze', 'verbose', 'settings', 'buffers', 'wal'];

/**
 * Parses an `Accept` header to media types, best first: by quality, then by the number of parameters less the number of
 * wildcards, then as given. A missing header accepts anything; blanks do not count.
 */
export function parseAccept(header: string | undefined): readonly MediaType[] {
  if (header === undefined || header === '*/*') return ACCEPT_ANY;
  if (header === 'application/json') return ACCEPT_JSON;
  if (header === '') return [];
  const ranked = header.split(',').map(rank);
  if (ranked.length > 1) ranked.sort((a, b) => b.quality - a.quality || b.specificity - a.specificity);
  return ranked.map(({ text }) => parseMediaType(text));
}

interface RankedType {
  readonly text: string;
  readonly quality: number;
  readonly specificity: number;
}

/** Everything from `;q=` on is dropped. */
function rank(item: string): RankedType {
  const bare = item.replaceAll(' ', '');
  const at = bare.indexOf(';q=');
  const text = at === -1 ? bare : bare.slice(0, at);
  const specificity = count(text, ';') - count(text, '*');
  return { text, quality: at === -1 ? 1 : readQuality(bare.slice(at + 3)), specificity };
}

/** The decimal number at the beginning; 1 when there is none. */
function readQuality(text: string): number {
  const match = /^-?\d+(?:\.\d+)?(?:e[+-]?\d+)?/i.exec(text);
  return match === null ? 1 : Number(match[0]);
}

function count(text: string, char: string): number {
  let found = 0;
  for (let at = text.indexOf(char); at !== -1; at = text.indexOf(char, at + 1)) found++;
  return found;
}

/** Parses one media type. Types that have no kind of their own, and text that is none, are `other` (M1–M8). */
export function parseMediaType(text: string): MediaType {
  const { type, params } = tokenize(text);
  switch (type) {
    case '*/*':
      return ANY;
    case 'application/json':
      return JSON_TYPE;
    case 'application/geo+json':
      return { kind: 'geojson' };
    case 'text/csv':
      return { kind: 'csv' };
    case 'application/openapi+json':
      return { kind: 'openapi' };
    case 'application/x-www-form-urlencoded':
      return { kind: 'urlencoded' };
    // Known by name, whatever their parameters; a handler for them comes from the tenant's database.
    case 'text/plain':
    case 'text/xml':
    case 'application/octet-stream':
      return { kind: 'other', name: type };
    case 'application/vnd.pgrst.object':
    case 'application/vnd.pgrst.object+json':
      return { kind: 'object', nullsStripped: params.get('nulls') === 'stripped' };
    case 'application/vnd.pgrst.array':
    case 'application/vnd.pgrst.array+json':
      return params.get('nulls') === 'stripped' ? { kind: 'array', nullsStripped: true } : JSON_TYPE;
    case 'application/vnd.pgrst.plan':
    case 'application/vnd.pgrst.plan+text':
      return plan('text', params);
    case 'application/vnd.pgrst.plan+json':
      return plan('json', params);
    default:
      return { kind: 'other', name: text };
  }
}

function plan(format: 'text' | 'json', params: ReadonlyMap<string, string>): MediaType {
  const options = params.get('options')?.split('|') ?? [];
  const target = params.get('for');
  return {
    kind: 'plan',
    format,
    for: target === undefined ? JSON_TYPE : parseMediaType(target),
    options: PLAN_OPTIONS.filter((option) => options.includes(option)),
  };
}

interface Tokens {
  /** `main/sub` in lower case; empty when the text is no media type. */
  readonly type: string;
  /** Names in lower case; of a repeated one the last counts. */
  readonly params: ReadonlyMap<string, string>;
}

const NO_PARAMS: ReadonlyMap<string, string> = new Map();
const TYPE = /^[\p{L}\p{N}.*]+\/[\p{L}\p{N}.*+-]+/u;
const PARAM = /\s*;\s*([\p{L}\p{N}-]+)\s*=\s*(?:"([^"]*)"|([\p{L}\p{N}|-]+))/uy;

/** Reads as far as it can: what does not look like a parameter ends the list and is ignored. */
function tokenize(text: string): Tokens {
  const type = TYPE.exec(text)?.[0];
  if (type === undefined) return { type: '', params: NO_PARAMS };
  if (type.length === text.length) return { type: type.toLowerCase(), params: NO_PARAMS };
  const params = new Map<string, string>();
  const param = new RegExp(PARAM);
  param.lastIndex = type.length;
  for (let match = param.exec(text); match !== null; match = param.exec(text)) {
    params.set(match[1]!.toLowerCase(), match[2] ?? match[3]!);
  }
  return { type: type.toLowerCase(), params };
}
