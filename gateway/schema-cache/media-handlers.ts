import type { StatementResult } from '../platform/result-set.ts';
import type { Oid } from './catalog.ts';
import { parseMediaTypeName } from './media-type-name.ts';
import type { CatalogRelation } from './relations.ts';
import { readFlag, readOptional, readText } from './row-reader.ts';
import type { MediaHandler } from './schema-cache.ts';

/** Aggregates over an exposed relation's rows, or over any, that make a media type (M8). */
export function mediaHandlersFromRows(
  result: StatementResult,
  relations: ReadonlyMap<Oid, CatalogRelation>,
  logicalSchemas: ReadonlyMap<string, string>,
): readonly MediaHandler[] {
  const handlers: MediaHandler[] = [];
  for (const row of result.rows) {
    const physicalSchema = readText(row, 0);
    const mediaType = parseMediaTypeName(readText(row, 2));
    const rowType = readOptional(row, 3);
    const relation = rowType === undefined ? undefined : relations.get(rowType);
    if (mediaType === undefined || (rowType !== undefined && relation === undefined)) continue;
    handlers.push({
      mediaType,
      relation: relation?.ref,
      aggregate: {
        schema: logicalSchemas.get(physicalSchema) ?? physicalSchema,
        physicalSchema,
        name: readText(row, 1),
      },
      ...(readFlag(row, 4) ? { isBinary: true } : {}),
    });
  }
  return handlers;
}
