import { GatewayError } from '../errors/gateway-error.ts';
import type { StatementResult } from '../platform/result-set.ts';
import type { SqlStatement } from '../platform/sql.ts';
import type { PostgrestRecord } from '../registry/postgrest-settings.ts';
import { EXTENSIONS_SCHEMA, physicalSchema, type TenantNaming } from '../registry/tenant.ts';
import { type Constraints, constraintsFromRows, type Oid } from './catalog.ts';
import { columnTypesFromRows } from './column-types.ts';
import { findHiddenJunctions } from './hidden-junctions.ts';
import { knownNamesFromRows } from './known-names.ts';
import { mediaHandlersFromRows } from './media-handlers.ts';
import { scanTargetList } from './node-tree.ts';
import { Picture } from './picture.ts';
import { PictureWeight, rowWeight } from './picture-weight.ts';
import { columnTypesQuery } from './queries/column-types.sql.ts';
import { constraintsQuery } from './queries/constraints.sql.ts';
import { mediaHandlersQuery } from './queries/media-handlers.sql.ts';
import { namesQuery } from './queries/names.sql.ts';
import { relationsQuery } from './queries/relations.sql.ts';
import { roleSettingsQuery } from './queries/role-settings.sql.ts';
import { routinesQuery } from './queries/routines.sql.ts';
import { schemasQuery } from './queries/schemas.sql.ts';
import { viewRulesQuery } from './queries/view-rules.sql.ts';
import { relationsFromRows } from './relations.ts';
import { CatalogRelationships } from './relationships.ts';
import { roleSettingsFromRows } from './role-settings.ts';
import { routinesFromRows } from './routines.ts';
import { readOptional, readText } from './row-reader.ts';
import type { SchemaCache } from './schema-cache.ts';
import { Slices } from './slices.ts';
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
    columnTypesQuery(exposed),
    constraintsQuery(searched),
    viewRulesQuery(searched),
    routinesQuery(exposed),
    mediaHandlersQuery(exposed),
    roleSettingsQuery(naming.rolePrefix),
    namesQuery(naming.rolePrefix === undefined ? searched : [...searched, EXTENSIONS_SCHEMA]),
  ];
}

/** @throws {GatewayError} `PGRSTX00` when an answer has not the expected shape */
export async function buildSchemaCache(
  results: readonly StatementResult[],
  options: LoadOptions,
): Promise<SchemaCache> {
  const { naming, hoistedSettings } = options;
  const logicalSchemas = new Map(options.schemas.map((schema) => [physicalSchema(naming, schema), schema]));
  if (results.length !== STATEMENTS) throw new GatewayError('PGRSTX00');
  const [
    schemaRows,
    relationRows,
    typeRows,
    constraintRows,
    viewRows,
    routineRows,
    handlerRows,
    roleRows,
    nameRows,
  ] = results as ResultsByStatement;
  const slices = new Slices(ROWS_PER_SLICE);
  const weight = new PictureWeight(EMPTY_PICTURE_BYTES);
  const { types, representations } = columnTypesFromRows(typeRows);
  const constraints = await constraintsFromRows(constraintRows, slices);
  const lineages = await lineagesFromRows(viewRows, slices);
  const parts = { types, constraints, lineages, logicalSchemas, weight };
  const relations = await relationsFromRows(relationRows, parts, slices);
  const { routines, computed } = await routinesFromRows(
    routineRows,
    { relations: relations.byOid, logicalSchemas, hoistedSettings },
    slices,
  );
  await addWeights(weight, { relationRows, routineRows, nameRows, constraints, lineages }, slices);
  return new Picture({
    relations: relations.byKey,
    relationships: new CatalogRelationships({
      relations: relations.byOid,
      relationsByKey: relations.byKey,
      constraints,
      lineages,
      computed,
      weight,
    }),
    findHiddenJunctions: () => findHiddenJunctions(relations.byOid, constraints, lineages),
    routines,
    names: knownNamesFromRows(nameRows),
    mediaHandlers: mediaHandlersFromRows(handlerRows, relations.byOid, logicalSchemas),
    representations,
    timezones: new Set(),
    roleSettings: roleSettingsFromRows(roleRows),
    databaseSettings: options.databaseSettings ?? {},
    schemaDescriptions: schemaDescriptions(schemaRows, logicalSchemas),
    serverVersion: Number(schemaRows.rows[0]?.[2] ?? 0),
    weight,
  });
}

const STATEMENTS = 9;
type ResultsByStatement = readonly [
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

// About a millisecond of work: a big catalog must not hold up the requests of other tenants.
const ROWS_PER_SLICE = 500;
// Scanning so much of a view's node tree takes as long as a row of the other kinds.
const CHARACTERS_PER_ROW = 500;
const UNITS_A_VIEW = 4;

async function lineagesFromRows(
  result: StatementResult,
  slices: Slices,
): Promise<ReadonlyMap<Oid, ViewLineage>> {
  const sources: ViewSource[] = [];
  for (const row of result.rows) {
    const tree = readText(row, 1);
    if (slices.spend(1 + tree.length / CHARACTERS_PER_ROW)) await slices.rest();
    sources.push({ view: readText(row, 0), entries: scanTargetList(tree) });
  }
  const lineages = new Map<Oid, ViewLineage>();
  for (const [view, lineage] of traceViews(sources)) {
    if (slices.spend(UNITS_A_VIEW)) await slices.rest();
    lineages.set(view, lineage);
  }
  return lineages;
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

// Measured with `npm run bench:schema`, which prints the heap beside the estimate.
const EMPTY_PICTURE_BYTES = 4_096;
const BYTES_A_RELATION = 300;
const BYTES_A_CONSTRAINT = 260;
const BYTES_A_VIEW = 700;
const BYTES_A_VIEW_COLUMN = 100;
/** Routines are made into objects, which take more than their row. */
const ROUTINE_FACTOR = 2;

async function addWeights(
  weight: PictureWeight,
  parts: {
    readonly relationRows: StatementResult;
    readonly routineRows: StatementResult;
    readonly nameRows: StatementResult;
    readonly constraints: Constraints;
    readonly lineages: ReadonlyMap<Oid, ViewLineage>;
  },
  slices: Slices,
): Promise<void> {
  for (const row of parts.relationRows.rows) {
    if (slices.spend(0.5)) await slices.rest();
    weight.add(BYTES_A_RELATION + rowWeight(row));
  }
  for (const row of parts.routineRows.rows) {
    if (slices.spend(0.5)) await slices.rest();
    weight.add(ROUTINE_FACTOR * rowWeight(row));
  }
  for (const row of parts.nameRows.rows) weight.add(rowWeight(row));
  weight.add(parts.constraints.count * BYTES_A_CONSTRAINT);
  for (const lineage of parts.lineages.values()) {
    let columns = 0;
    for (const shown of lineage.values()) columns += shown.size;
    weight.add(BYTES_A_VIEW + columns * BYTES_A_VIEW_COLUMN);
  }
}
