/** Where a column of a view comes from. */
export interface TargetEntry {
  /** Position among the view's columns, from 1. */
  readonly position: number;
  /** Oid of the table or view it is a plain column of, and its attnum there. */
  readonly originRelation: string;
  readonly originColumn: number;
}

/**
 * Reads the target list of a view's `pg_rewrite.ev_action` and keeps the entries that are plain columns of a relation;
 * PostgreSQL has already traced them through subqueries, CTEs and joins, and marks neither expressions nor the columns of
 * set operations.
 *
 * The text is PostgreSQL's `nodeToString` (src/backend/nodes/outfuncs.c): `{NODE :field value …}`, lists in parentheses,
 * special characters escaped by a backslash, `<>` for nothing. Field sets differ between versions; the fields used here
 * have been the same since PostgreSQL 9.
 */
export function scanTargetList(evAction: string): readonly TargetEntry[] {
  const start = findTopLevelField(evAction, ':targetList');
  if (start === -1 || evAction[start] !== '(') return [];
  const entries: TargetEntry[] = [];
  let at = start + 1;
  while (evAction.charCodeAt(at) === OPEN_BRACE) {
    const end = endOfNode(evAction, at);
    const entry = readTargetEntry(evAction, at, end);
    if (entry !== undefined) entries.push(entry);
    at = end + 1;
    if (evAction.charCodeAt(at) === SPACE) at++;
  }
  return entries;
}

const BACKSLASH = 0x5c;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const SPACE = 0x20;
const COLON = 0x3a;

/** Index just behind `field` and its space in the outermost node, or -1. */
function findTopLevelField(text: string, field: string): number {
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    switch (text.charCodeAt(at)) {
      case BACKSLASH:
        at++;
        break;
      case OPEN_BRACE:
        depth++;
        break;
      case CLOSE_BRACE:
        depth--;
        break;
      case COLON:
        if (depth === 1 && text.startsWith(`${field} `, at)) return at + field.length + 1;
        break;
    }
  }
  return -1;
}

/** Index of the brace that closes the node opened at `start`. */
function endOfNode(text: string, start: number): number {
  let depth = 0;
  for (let at = start; at < text.length; at++) {
    const char = text.charCodeAt(at);
    if (char === BACKSLASH) at++;
    else if (char === OPEN_BRACE) depth++;
    else if (char === CLOSE_BRACE && --depth === 0) return at;
  }
  return text.length;
}

/** The scalar fields stand behind the expression, at the node's end: `… :resno 1 :resname id … :resjunk false}`. */
function readTargetEntry(text: string, start: number, end: number): TargetEntry | undefined {
  if (!text.startsWith('{TARGETENTRY ', start)) return undefined;
  const tail = text.slice(text.lastIndexOf(' :resno ', end), end);
  const match = TARGET_FIELDS.exec(tail);
  if (match === null || match[2] === '0' || match[4] === 'true') return undefined;
  return { position: Number(match[1]), originRelation: match[2]!, originColumn: Number(match[3]) };
}

const TARGET_FIELDS = /^ :resno (\d+) .* :resorigtbl (\d+) :resorigcol (\d+) :resjunk (true|false)$/s;
