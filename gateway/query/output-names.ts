import { GatewayError } from '../errors/gateway-error.ts';
import { SCALAR_COLUMN } from '../plan/call-plan.ts';
import type { ReadPlan, SelectTerm } from '../plan/read-plan.ts';
import { ident, type SqlFragment } from '../platform/sql.ts';

/** The columns of a whole row, whose names are known to the database only. */
export const WHOLE_ROW = Symbol('*');

/** A column of a level's rows by its key in the answer, in the answer's order. */
export type ShownColumn = string | typeof WHOLE_ROW;

/** How columns are called inside a statement. */
export interface OutputNames {
  /** Whether the columns' keys come from elsewhere, so that none is in the statement's text. */
  readonly isNeutral: boolean;
  /** Whether a whole row is one column, of which keys and values are taken. */
  readonly packsRows: boolean;
  /** Names for the columns of one level, in the answer's order. */
  ofLevel(): (key: ShownColumn) => SqlFragment;
}

/** Columns are called what the answer calls them. */
export const OWN_NAMES: OutputNames = { isNeutral: false, packsRows: false, ofLevel: () => ownName };

function ownName(key: ShownColumn): SqlFragment {
  return ident(key === WHOLE_ROW ? '*' : key);
}

/** Longest name that PostgreSQL keeps of a column, in bytes. */
const MAX_NAME_BYTES = 63;

/** Columns are called by numbers. Those of one key have one name in all levels; within a level it is told apart from itself. */
export class NeutralNames implements OutputNames {
  readonly isNeutral = true;
  readonly packsRows: boolean;
  readonly #numbers = new Map<ShownColumn, number>();

  constructor({ packsRows }: { readonly packsRows: boolean }) {
    this.packsRows = packsRows;
  }

  ofLevel(): (key: ShownColumn) => SqlFragment {
    const counts = new Map<ShownColumn, number>();
    return (given) => {
      const key = given === WHOLE_ROW ? given : keptName(given);
      if (key === SCALAR_COLUMN) return ident(SCALAR_COLUMN);
      const number = this.#numbers.get(key) ?? this.#numbers.size;
      this.#numbers.set(key, number);
      const count = counts.get(key) ?? 0;
      counts.set(key, count + 1);
      return ident(`pgrst_c${number}${count === 0 ? '' : `_${count}`}`);
    };
  }
}

/**
 * What PostgreSQL says of a name that several columns have, where it stands for one of them.
 *
 * @throws {GatewayError} 42702
 */
export function refuseAmbiguous(columns: readonly ShownColumn[], key?: string): void {
  const seen = new Set<ShownColumn>();
  for (const column of columns) {
    const name = column === WHOLE_ROW ? column : keptName(column);
    if (seen.has(name) && (key === undefined || name === keptName(key))) {
      const message = `column reference "${name === WHOLE_ROW ? '*' : name}" is ambiguous`;
      throw new GatewayError({ code: '42702', status: 400, message });
    }
    seen.add(name);
  }
}

/** What PostgreSQL would make of it as a column's name: no NUL, and no more than fits. */
export function keptName(name: string): string {
  const text = name.includes('\0') ? name.replaceAll('\0', '') : name;
  if (Buffer.byteLength(text) <= MAX_NAME_BYTES) return text;
  let kept = '';
  let bytes = 0;
  for (const character of text) {
    bytes += Buffer.byteLength(character);
    if (bytes > MAX_NAME_BYTES) break;
    kept += character;
  }
  return kept;
}

/** The columns of a level's rows, those of spreads included. */
export function shownColumns({ select, embeds }: ReadPlan): ShownColumn[] {
  const columns: ShownColumn[] = select.map(shownAs);
  for (const { isEmpty, isSpread, name, read } of embeds) {
    if (isEmpty) continue;
    if (isSpread) columns.push(...shownColumns(read));
    else columns.push(name);
  }
  return columns;
}

/** The key of a selected column. */
export function shownAs({ alias }: SelectTerm): ShownColumn {
  return alias ?? WHOLE_ROW;
}
