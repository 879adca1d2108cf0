import { setImmediate as nextTurn } from 'node:timers/promises';
import { GatewayError } from '../errors/gateway-error.ts';
import type { StatementResult } from '../platform/result-set.ts';
import type { SqlStatement } from '../platform/sql.ts';
import type { PostgrestRecord } from '../registry/postgrest-settings.ts';
import { physicalSchema, type TenantNaming } from '../registry/tenant.ts';
import { constraintsFromRows, type Oid } from './catalog.ts';
import { findHiddenJunctions } from './hidden-junctions.ts';
import { mediaHandlersFromRows } from './media-handlers.ts';
import { scanTargetList } from './node-tree.ts';
import { columnsQuery } from './queries/columns.sql.ts';
import { constraintsQuery } from './queries/constraints.sql.ts';
import { mediaHandlersQuery } from './queries/media-handlers.sql.ts';
import { relationsQuery } from './queries/relations.sql.ts';
import { representationsQuery } from './queries/representations.sql.ts';
import { roleSettingsQuery } from './queries/role-settings.sql.ts';
import { routinesQuery } from './queries/routines.sql.ts';
import { schemasQuery } from './queries/schemas.sql.ts';
import { viewRulesQuery } from './queries/view-rules.sql.ts';
import { type ColumnsByNumber, columnsFromRows, relationsFromRows } from './relations.ts';
import { buildRelationships } from './relationships.ts';
import { roleSettingsFromRows } from './role-settings.ts';
import { routinesFromRows } from './routines.ts';
import { readOptional, readText } from './row-reader.ts';
import { type DataRepresentation, type Relation, relationKey, type SchemaCache } from './schema-cache.ts';
import { traceViews, type ViewLineage, type ViewSource } from './view-lineage.ts';

export interface LoadOptions {
  readonly naming: TenantNaming;
  /** Logical names of the exposed schemas; one that does not exist is empty. */
  readonly schemas: readonly string[];
  /** Logical names; views there may be links between exposed views and tables. */
  readonly extraSearchPath: readonly string[];
  /** Names of function settings to hoist (C9). */
  readonly hoistedSettings: readonly string[];
  /** Kept in the picture as they are. */
  readonly databaseSettings?: PostgrestRecord;
}

/** Runs all statements in one read-only transaction whose `search_path` is empty, so that types print qualified. */
export type CatalogQuery = (statements: readonly SqlStatement[]) => Promise<readonly StatementResult[]>;

/**
 * Reads a tenant's catalog and builds the picture of its exposed schemas. The number of statements does not depend on the
 * size of the catalog, and none of them reads other schemas' objects.
 *
 * Names of time zones are left out (`timezones` is empty): reading them takes the server longer than all the rest.
 * PostgreSQL itself refuses an unknown zone; `SELECT name FROM pg_catalog.pg_timezone_names` would fill the set.
 *
 * @throws {GatewayError} `PGRSTX00` when an answer has not the expected shape; whatever `query` throws
 */
export async function loadSchemaCache(query: CatalogQuery, options: LoadOptions): Promise<SchemaCache> {
  return buildSchemaCache(await query(catalogStatements(options)), options);
}

/** Catalog queries; all of them in one transaction give what `buildSchemaCache` takes. */
export function catalogStatements(options: LoadOptions): readonly SqlStatement[] {
  const { naming } = options;
  const exposed = options.schemas.map((schema) => physicalSchema(naming, schema));
  const searched = [
    ...new Set([...exposed, ...options.extraSearchPath.map((s) => physicalSchema(naming, s))]),
  ];
  return [
    schemasQuery(exposed),
    relationsQuery(exposed),
    columnsQuery(exposed),
    constraintsQuery(searched),
    viewRulesQuery(searched),
    routinesQuery(exposed),
    mediaHandlersQuery(exposed),
    representationsQuery(exposed),
    roleSettingsQuery(naming.rolePrefix),
  ];
}

/** @throws {GatewayError} `PGRSTX00` when an answer has not the expected shape */
export async function buildSchemaCache(
  results: readonly StatementResult[],
  options: LoadOptions,
): Promise<SchemaCache> {
  const { naming } = options;
  const logicalSchemas = new Map(options.schemas.map((schema) => [physicalSchema(naming, schema), schema]));
  if (results.length !== 9) throw new GatewayError('PGRSTX00');
  const [
    schemaRows,
    relationRows,
    columnRows,
    constraintRows,
    viewRows,
    routineRows,
    handlerRows,
    castRows,
    roleRows,
  ] = results as NineResults;

  const columns = await columnsFromRows(columnRows);
  const constraints = constraintsFromRows(constraintRows);
  const lineages = await lineagesFromRows(viewRows);
  const relations = await relationsFromRows(relationRows, { columns, constraints, lineages, logicalSchemas });
  await nextTurn();
  const { hoistedSettings } = options;
  const { routines, computed } = routinesFromRows(routineRows, {
    relations,
    logicalSchemas,
    hoistedSettings,
  });
  await nextTurn();
  const columnNames = viewColumnNames(columns, lineages);
  return {
    relations: byKey(relations),
    relationships: buildRelationships({ relations, constraints, lineages, columnNames, computed }),
    hiddenJunctions: findHiddenJunctions(relations, constraints, lineages),
    routines,
    mediaHandlers: mediaHandlersFromRows(handlerRows, relations, logicalSchemas),
    representations: castRows.rows.map(
      (row): DataRepresentation => ({
        sourceType: readText(row, 0),
        targetType: readText(row, 1),
        functionName: readText(row, 2),
      }),
    ),
    timezones: new Set(),
    roleSettings: roleSettingsFromRows(roleRows),
    databaseSettings: options.databaseSettings ?? {},
    schemaDescriptions: schemaDescriptions(schemaRows, logicalSchemas),
    serverVersion: Number(schemaRows.rows[0]?.[2] ?? 0),
    sizeBytes: estimateSize([relationRows, columnRows, constraintRows, routineRows]),
  };
}

type NineResults = readonly [
  StatementResult,
  StatementResult,
  StatementResult,
  StatementResult,
  StatementResult,
  StatementResult,
  StatementResult,
  StatementResult,
  StatementResult,
];

// A view's node tree has tens of kilobytes; a handful is scanned between two turns of the event loop.
const CHARACTERS_PER_TURN = 500_000;

async function lineagesFromRows(result: StatementResult): Promise<ReadonlyMap<Oid, ViewLineage>> {
  const sources: ViewSource[] = [];
  let scanned = 0;
  for (const row of result.rows) {
    const tree = readText(row, 1);
    sources.push({ view: readText(row, 0), entries: scanTargetList(tree) });
    scanned += tree.length;
    if (scanned > CHARACTERS_PER_TURN) {
      scanned = 0;
      await nextTurn();
    }
  }
  return traceViews(sources);
}

function viewColumnNames(
  columns: ColumnsByNumber,
  lineages: ReadonlyMap<Oid, ViewLineage>,
): ReadonlyMap<Oid, ReadonlyMap<number, string>> {
  const names = new Map<Oid, ReadonlyMap<number, string>>();
  for (const view of lineages.keys()) {
    const ofView = columns.get(view);
    if (ofView !== undefined)
      names.set(view, new Map([...ofView].map(([number, { name }]) => [number, name])));
  }
  return names;
}

function byKey(relations: ReadonlyMap<Oid, Relation>): ReadonlyMap<string, Relation> {
  return new Map(
    [...relations.values()].map((relation) => [relationKey(relation.schema, relation.name), relation]),
  );
}

function schemaDescriptions(
  result: StatementResult,
  logicalSchemas: ReadonlyMap<string, string>,
): ReadonlyMap<string, string> {
  const descriptions = new Map<string, string>();
  for (const row of result.rows) {
    const logical = logicalSchemas.get(readText(row, 0));
    const description = readOptional(row, 1);
    if (logical !== undefined && description !== undefined) descriptions.set(logical, description);
  }
  return descriptions;
}

// Objects, maps and relationships made of a row take about this much more than its text (measured with 300 relations).
const BYTES_PER_ROW = 200;
const BYTES_PER_CHARACTER = 1;

function estimateSize(results: readonly StatementResult[]): number {
  let bytes = 4_096;
  for (const { rows } of results) {
    for (const row of rows) {
      bytes += BYTES_PER_ROW;
      for (const field of row) bytes += (field?.length ?? 0) * BYTES_PER_CHARACTER;
    }
  }
  return bytes;
}
