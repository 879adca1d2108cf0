import { GatewayError } from '../errors/gateway-error.ts';
import { keptName } from './output-names.ts';

/** Rows that a column is looked for in. */
export interface NamedRows {
  /** As the statement calls them, and errors show it. */
  readonly alias: string;
  readonly columns: () => Iterable<string>;
}

/**
 * What PostgreSQL says of a column that is not there, hint included: said here, so that a name that is nowhere goes into no statement. Hints at columns of other rows that
 * the statement has are left out.
 *
 * @param isQualified the statement would name the rows as well
 */
export function missingColumn(given: string, rows: NamedRows, isQualified = true): GatewayError {
  const name = keptName(given);
  const shown = isQualified ? `${rows.alias}.${name}` : `"${name}"`;
  return new GatewayError({
    code: '42703',
    status: 400,
    message: `column ${shown} does not exist`,
    hint: hintAt(nearestColumns(name, rows.columns()), rows.alias),
  });
}

function hintAt(names: readonly string[], alias: string): string | undefined {
  const shown = names.map((name) => `the column "${alias}.${name}"`).join(' or ');
  return names.length === 0 ? undefined : `Perhaps you meant to reference ${shown}.`;
}

/** More edits than that are another name. */
const MAX_EDITS = 3;

/** The columns of least distance, two at most: more of them are no help. */
function nearestColumns(name: string, columns: Iterable<string>): readonly string[] {
  const furthest = Math.min(MAX_EDITS, Math.floor(Buffer.byteLength(name) / 2));
  let nearest: string[] = [];
  let least = furthest;
  for (const column of columns) {
    const distance = editDistance(column, name);
    if (distance > least) continue;
    if (distance < least) nearest = [];
    least = distance;
    nearest.push(column);
    if (nearest.length > 2) {
      nearest = [];
      least = distance - 1;
    }
  }
  return nearest;
}

/** Levenshtein's: insertions, deletions and substitutions count one each. */
function editDistance(a: string, b: string): number {
  const from = [...a];
  const to = [...b];
  let row = to.map((_, i) => i + 1);
  from.forEach((character, i) => {
    let diagonal = i;
    let left = i + 1;
    row = row.map((above, j) => {
      left = Math.min(left + 1, above + 1, diagonal + (character === to[j] ? 0 : 1));
      diagonal = above;
      return left;
    });
  });
  return to.length === 0 ? from.length : row[to.length - 1]!;
}
