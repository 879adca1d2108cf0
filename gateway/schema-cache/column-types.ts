import type { StatementResult } from '../platform/result-set.ts';
import { readArray, readFlag, readOptional, readOptionalNumber, readText, readTexts } from './row-reader.ts';
import type { Column, DataRepresentation } from './schema-cache.ts';

/** What all columns of a type have in common; shared by them. */
export interface ColumnType extends Pick<Column, 'baseType' | 'type' | 'maxLength' | 'enumValues'> {
  /** Default of a domain, for columns without one of their own. */
  readonly default: string | undefined;
  readonly isNotNull: boolean;
}

/** By `columnTypeKey`. */
export type ColumnTypes = ReadonlyMap<string, ColumnType>;

/** @param modifier `atttypmod`, -1 for none */
export function columnTypeKey(type: string | number, modifier: string | number): string {
  return `${type} ${modifier}`;
}

export interface TypesOfColumns {
  readonly types: ColumnTypes;
  readonly representations: readonly DataRepresentation[];
}

export function columnTypesFromRows(result: StatementResult): TypesOfColumns {
  const types = new Map<string, ColumnType>();
  // A domain comes once for each modifier, which for domains is one.
  const representations = new Map<string, DataRepresentation>();
  for (const row of result.rows) {
    types.set(columnTypeKey(readText(row, 0), readText(row, 1)), {
      baseType: readText(row, 2),
      type: readText(row, 3),
      maxLength: readOptionalNumber(row, 4),
      default: readOptional(row, 5),
      isNotNull: readFlag(row, 6),
      enumValues: readTexts(row, 7),
    });
    for (const cast of readArray(row, 8)) {
      const [sourceType, targetType, functionName] = cast as readonly string[];
      representations.set(`${sourceType}\0${targetType}`, {
        sourceType: sourceType ?? '',
        targetType: targetType ?? '',
        functionName: functionName ?? '',
      });
    }
  }
  const sorted = [...representations].sort(([a], [b]) => (a < b ? -1 : 1));
  return { types, representations: sorted.map(([, representation]) => representation) };
}
