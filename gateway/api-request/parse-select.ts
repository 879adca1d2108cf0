import type { AggregateFunction, JoinKind, SelectItem } from './query-params.ts';
import { fieldOf, plainNameEnd, scanField, scanFieldName, scanIdentifier } from './scan-names.ts';
import { FAIL, parseText, type Scanned, type Scanner } from './scanner.ts';

type FieldItem = Extract<SelectItem, { kind: 'field' }>;

/** An embed or spread before its parenthesis. */
type EmbedHead = (select: readonly SelectItem[]) => SelectItem;

export const ALL_COLUMNS: readonly SelectItem[] = [plainItem('*')];

/** `-name`: a column that `*` leaves out. */
interface LeftOut {
  readonly kind: 'left-out';
  readonly name: string;
}

/**
 * Parses a `select` parameter (V1–V5; docs/select-all-but.md). Empty text gives no items.
 *
 * @throws {GatewayError} PGRST100
 * @example parseSelect('id,alias:rel!inner(name)')
 */
export function parseSelect(text: string): readonly SelectItem[] {
  return parseText(text, scanItems, `failed to parse select parameter (${text})`);
}

/** `true` for a lone `*`, which is what an absent parameter means. */
export function isAllColumns(select: readonly SelectItem[]): boolean {
  const only = select.length === 1 ? select[0]! : undefined;
  return only?.kind === 'field' && isStar(only) && only.except === undefined;
}

function isStar({ field, aggregate }: FieldItem): boolean {
  return field.name === '*' && aggregate === undefined;
}

function plainItem(name: string): FieldItem {
  return { kind: 'field', field: fieldOf(name), alias: undefined, cast: undefined, aggregate: undefined };
}

function scanItems(scanner: Scanner): Scanned<readonly SelectItem[]> {
  const { pos } = scanner;
  const items = scanner.separated(scanItem, isCommaNext);
  if (items === FAIL) return scanner.pos === pos ? [] : FAIL;
  return items.some(isLeftOut) ? leaveOut(items) : (items as readonly SelectItem[]);
}

function isLeftOut(item: SelectItem | LeftOut): item is LeftOut {
  return item.kind === 'left-out';
}

/** Moves the names that are left out to the `*` they are left out of. Where there is none, there is one at the first of them. */
function leaveOut(items: readonly (SelectItem | LeftOut)[]): readonly SelectItem[] {
  const except = [...new Set(items.filter(isLeftOut).map(({ name }) => name))];
  const first = items.find(isLeftOut);
  const hasStar = items.some((item) => item.kind === 'field' && isStar(item));
  return items.flatMap((item): readonly SelectItem[] => {
    if (isLeftOut(item)) return item === first && !hasStar ? [{ ...plainItem('*'), except }] : [];
    return [item.kind === 'field' && isStar(item) ? { ...item, except } : item];
  });
}

function isCommaNext(scanner: Scanner): boolean {
  return scanner.spacedComma();
}

function scanItem(scanner: Scanner): Scanned<SelectItem | LeftOut> {
  const plain = scanPlainItem(scanner);
  if (plain !== undefined) return plain;
  let head = scanner.attempt(scanSpreadHead);
  if (head === FAIL) head = scanner.attempt(scanEmbedHead);
  if (head === FAIL) return scanFieldItem(scanner);
  if (!scanner.char('(')) return FAIL;
  const select = scanner.nested(scanItems);
  if (select === FAIL || !scanner.char(')')) return FAIL;
  return head(select);
}

const COMMA = 44;
const CLOSE = 41;
const DASH = 45;

/** Most items are a bare ASCII name; it needs none of the alternatives. */
function scanPlainItem(scanner: Scanner): SelectItem | undefined {
  if (scanner.isExplaining) return undefined;
  const { text, pos } = scanner;
  const end = plainNameEnd(text, pos);
  if (
    end === pos ||
    (end < text.length && text.charCodeAt(end) !== COMMA && text.charCodeAt(end) !== CLOSE)
  ) {
    return undefined;
  }
  scanner.advanceTo(end);
  return plainItem(text.slice(pos, end));
}

function scanSpreadHead(scanner: Scanner): Scanned<EmbedHead> {
  scanner.skipBlanks();
  if (!scanner.literal('...')) return FAIL;
  const name = scanFieldName(scanner);
  if (name === FAIL) return FAIL;
  const params = scanEmbedParams(scanner);
  if (params === FAIL || !scanner.isAt('(')) return FAIL;
  return (select) => ({ kind: 'spread', name, ...params, select });
}

function scanEmbedHead(scanner: Scanner): Scanned<EmbedHead> {
  scanner.skipBlanks();
  const alias = scanner.optional(scanAlias);
  if (alias === FAIL) return FAIL;
  const name = scanFieldName(scanner);
  // `count()` counts rows, so no relation can be embedded by that name.
  if (name === FAIL || name === 'count') return FAIL;
  const params = scanEmbedParams(scanner);
  if (params === FAIL || !scanner.isAt('(')) return FAIL;
  return (select) => ({ kind: 'embed', name, alias, ...params, select });
}

function scanAlias(scanner: Scanner): Scanned<string> {
  return scanner.attempt((s) => {
    const alias = scanFieldName(s);
    if (alias === FAIL || !s.char(':')) return FAIL;
    return s.notFollowedBy((code) => code === 58, '":"') ? alias : FAIL;
  });
}

interface EmbedParams {
  readonly hint: string | undefined;
  readonly join: JoinKind | undefined;
}

/** Up to two of `!hint`, `!inner`, `!left`; of two alike the first counts. */
function scanEmbedParams(scanner: Scanner): Scanned<EmbedParams> {
  const first = scanner.optional(scanEmbedParam);
  if (first === FAIL) return FAIL;
  const second = scanner.optional(scanEmbedParam);
  if (second === FAIL) return FAIL;
  return { hint: first?.hint ?? second?.hint, join: first?.join ?? second?.join };
}

function scanEmbedParam(scanner: Scanner): Scanned<EmbedParams> {
  if (!scanner.char('!')) return FAIL;
  for (const join of ['left', 'inner'] as const) {
    if (scanner.attempt((s) => (s.literal(join) ? true : FAIL)) !== FAIL) return { hint: undefined, join };
  }
  const hint = scanner.attempt(scanFieldName);
  return hint === FAIL ? FAIL : { hint, join: undefined };
}

function scanFieldItem(scanner: Scanner): Scanned<SelectItem | LeftOut> {
  scanner.skipBlanks();
  // No name begins with a dash, and PostgREST has nothing else that does.
  let item: Scanned<SelectItem | LeftOut> =
    scanner.peek() === DASH ? scanLeftOut(scanner) : scanner.attempt(scanStar);
  if (item === FAIL) item = scanner.attempt(scanRowCount);
  if (item === FAIL) item = scanColumn(scanner);
  if (item !== FAIL) scanner.skipBlanks();
  return item;
}

function scanLeftOut(scanner: Scanner): Scanned<LeftOut> {
  if (!scanner.char('-')) return FAIL;
  const name = scanFieldName(scanner);
  if (name === FAIL) return FAIL;
  scanner.skipBlanks();
  return isItemEnd(scanner) ? { kind: 'left-out', name } : FAIL;
}

function scanStar(scanner: Scanner): Scanned<SelectItem> {
  return scanner.literal('*') && isItemEnd(scanner) ? plainItem('*') : FAIL;
}

function scanRowCount(scanner: Scanner): Scanned<SelectItem> {
  const alias = scanner.optional(scanAlias);
  if (alias === FAIL || !scanner.literal('count()')) return FAIL;
  const cast = scanner.optional(scanCast);
  if (cast === FAIL || !isItemEnd(scanner)) return FAIL;
  return { ...plainItem('*'), alias, aggregate: { fn: 'count', cast } };
}

/** `alias:col->path::cast.sum()::cast` */
function scanColumn(scanner: Scanner): Scanned<SelectItem> {
  const alias = scanner.optional(scanAlias);
  if (alias === FAIL) return FAIL;
  const field = scanField(scanner);
  if (field === FAIL) return FAIL;
  const cast = scanner.optional(scanCast);
  if (cast === FAIL) return FAIL;
  const fn = scanner.optional(scanAggregate);
  if (fn === FAIL) return FAIL;
  const outerCast = scanner.optional(scanCast);
  if (outerCast === FAIL || !isItemEnd(scanner)) return FAIL;
  // Without an aggregate a second cast is read but has nothing to apply to.
  return { kind: 'field', field, alias, cast, aggregate: fn && { fn, cast: outerCast } };
}

function scanCast(scanner: Scanner): Scanned<string> {
  return scanner.literal('::') ? scanIdentifier(scanner) : FAIL;
}

function scanAggregate(scanner: Scanner): Scanned<AggregateFunction> {
  return scanner.attempt((s) => {
    if (!s.char('.')) return FAIL;
    for (const fn of ['sum', 'avg', 'count', 'max', 'min'] as const) {
      const { pos } = s;
      const isMatch =
        fn === 'max' || fn === 'min' ? s.attempt((t) => literalOf(t, fn)) !== FAIL : s.literal(fn);
      if (isMatch) return s.literal('()') ? fn : FAIL;
      if (s.pos !== pos) return FAIL;
    }
    return FAIL;
  });
}

function literalOf(scanner: Scanner, literal: string): Scanned<true> {
  return scanner.literal(literal) ? true : FAIL;
}

function isItemEnd(scanner: Scanner): boolean {
  return scanner.isAt(')') || scanner.isAt(',') || scanner.end();
}
