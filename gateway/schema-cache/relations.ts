import { setImmediate as nextTurn } from 'node:timers/promises';
import type { StatementResult } from '../platform/result-set.ts';
import type { Constraint, Oid } from './catalog.ts';
import { readFlag, readNumber, readOptional, readOptionalNumber, readText, readTexts } from './row-reader.ts';
import type { Column, Relation } from './schema-cache.ts';
import { getOrAdd, type ViewLineage } from './view-lineage.ts';

/** Columns of a relation in their order, with their attnums. */
export type ColumnsByNumber = ReadonlyMap<Oid, ReadonlyMap<number, Column>>;

// About a millisecond of work: a big catalog must not hold up the requests of other tenants.
const ROWS_PER_TURN = 2_000;

export async function columnsFromRows(result: StatementResult): Promise<ColumnsByNumber> {
  const columns = new Map<Oid, Map<number, Column>>();
  let read = 0;
  for (const row of result.rows) {
    if (++read % ROWS_PER_TURN === 0) await nextTurn();
    const ofRelation = getOrAdd(columns, readText(row, 0), () => new Map<number, Column>());
    ofRelation.set(readNumber(row, 1), {
      name: readText(row, 2),
      description: readOptional(row, 3),
      isNullable: readFlag(row, 4),
      baseType: readText(row, 5),
      type: readText(row, 6),
      maxLength: readOptionalNumber(row, 7),
      default: readOptional(row, 8),
      isGenerated: readFlag(row, 9),
      enumValues: readTexts(row, 10),
    });
  }
  return columns;
}

export interface RelationParts {
  readonly columns: ColumnsByNumber;
  readonly constraints: readonly Constraint[];
  readonly lineages: ReadonlyMap<Oid, ViewLineage>;
  /** Physical → logical name of the exposed schemas. */
  readonly logicalSchemas: ReadonlyMap<string, string>;
}

export async function relationsFromRows(
  result: StatementResult,
  parts: RelationParts,
): Promise<ReadonlyMap<Oid, Relation>> {
  const primaryKeys = new Map<Oid, Constraint>();
  for (const constraint of parts.constraints) {
    if (constraint.kind === 'primary-key') primaryKeys.set(constraint.relation, constraint);
  }
  const relations = new Map<Oid, Relation>();
  let read = 0;
  for (const row of result.rows) {
    if (++read % ROWS_PER_TURN === 0) await nextTurn();
    const oid = readText(row, 0);
    const physicalSchema = readText(row, 1);
    const commands = readNumber(row, 5);
    const byNumber = parts.columns.get(oid) ?? new Map<number, Column>();
    const lineage = parts.lineages.get(oid);
    relations.set(oid, {
      schema: parts.logicalSchemas.get(physicalSchema) ?? physicalSchema,
      physicalSchema,
      name: readText(row, 2),
      description: readOptional(row, 4),
      kind: relationKind(readText(row, 3)),
      isInsertable: (commands & INSERT) !== 0,
      isUpdatable: (commands & UPDATE) !== 0,
      isDeletable: (commands & DELETE) !== 0,
      primaryKey:
        lineage === undefined
          ? (primaryKeys.get(oid)?.columns.toSorted() ?? [])
          : viewPrimaryKey(lineage, byNumber, primaryKeys),
      columns: new Map([...byNumber.values()].map((column) => [column.name, column])),
    });
  }
  return relations;
}

const UPDATE = 4;
const INSERT = 8;
const DELETE = 16;

/** The key columns of every table whose whole primary key the view shows; a column shown twice counts once. */
function viewPrimaryKey(
  lineage: ViewLineage,
  columns: ReadonlyMap<number, Column>,
  primaryKeys: ReadonlyMap<Oid, Constraint>,
): readonly string[] {
  const names = new Set<string>();
  for (const [table, shown] of lineage) {
    const key = primaryKeys.get(table);
    if (key === undefined) continue;
    const positions = key.columnNumbers.map((number) => shown.get(number)?.[0]);
    if (positions.includes(undefined)) continue;
    for (const position of positions) {
      const column = position === undefined ? undefined : columns.get(position);
      if (column !== undefined) names.add(column.name);
    }
  }
  return [...names].sort();
}

function relationKind(relkind: string): Relation['kind'] {
  switch (relkind) {
    case 'v':
      return 'view';
    case 'm':
      return 'materialized-view';
    case 'f':
      return 'foreign-table';
    case 'p':
      return 'partitioned-table';
    default:
      return 'table';
  }
}
