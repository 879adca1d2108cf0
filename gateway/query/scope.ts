import type { EmbedPlan } from '../plan/read-plan.ts';
import { ident, quoteIdent, raw, type SqlFragment } from '../platform/sql.ts';
import type { Relation } from '../schema-cache/schema-cache.ts';
import type { NamedRows } from './missing-column.ts';
import { type OutputNames, OWN_NAMES } from './output-names.ts';

/** Longest identifier PostgreSQL keeps, in bytes. */
const MAX_IDENTIFIER_BYTES = 63;

/** A row source that columns are taken from, as SQL names it: `"public"."films"`, `"actors_1"`, `"pgrst_source"`. */
export interface RowSource extends NamedRows {
  readonly name: SqlFragment;
  /** Set for `pgrst_source`: the type its rows can be cast to for computed relationships. */
  readonly rowType: SqlFragment | undefined;
}

export function namedSource(...parts: readonly string[]): RowSource {
  return { name: ident(...parts), alias: parts.at(-1)!, columns: noColumns, rowType: undefined };
}

const noColumns = (): readonly string[] => [];

/** The rows of a relation under an alias, or under its own name. */
export function relationSource(relation: Relation | undefined, ...parts: readonly string[]): RowSource {
  const columns = relation === undefined ? noColumns : () => relation.columns.keys();
  return { name: ident(...parts), alias: parts.at(-1)!, columns, rowType: undefined };
}

/** Hands out alias names that are unique within one statement. */
export class AliasScope {
  /** Of the columns that are shown. */
  readonly names: OutputNames;
  #count = 0;

  constructor(names: OutputNames = OWN_NAMES) {
    this.names = names;
  }

  /** Name of an embedded relation in its own sub-select, as PostgREST shows it in error texts: `clients_1` at depth 1. */
  relationAlias(name: string, depth: number): string {
    return withSuffix(name, `_${depth}`);
  }

  /** Name of the lateral join that carries an embed's result: never of its alias, which is the client's. */
  lateralAlias(parent: string, embed: EmbedPlan): string {
    this.#count += 1;
    return withSuffix(`${parent}_${embed.target}`, `_${this.#count}`);
  }

  junctionAlias(name: string): string {
    this.#count += 1;
    return withSuffix(name, `_j${this.#count}`);
  }
}

/** Truncates before the suffix: PostgreSQL would truncate behind it, and two levels could share a name. */
function withSuffix(name: string, suffix: string): string {
  // A character is at least a byte: the rest of a very long name need not be looked at.
  let kept = name.slice(0, MAX_IDENTIFIER_BYTES);
  while (Buffer.byteLength(kept) + suffix.length > MAX_IDENTIFIER_BYTES) kept = kept.slice(0, -1);
  return kept + suffix;
}

export function columnOf(source: RowSource, column: string): SqlFragment {
  return raw(`${source.name.strings[0]!}.${quoteIdent(column)}`);
}
