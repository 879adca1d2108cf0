/** What a schema of the given size holds: of 100 relations 78 are tables, 20 views and 2 materialized views; and a function for every fifth. */
export interface SchemaFixture {
  readonly schema: string;
  readonly relations: number;
}

/** Statements are sent in parts: one transaction with all of a large schema would need a lock for each object. */
const RELATIONS_A_PART = 250;

/**
 * SQL that makes a schema like those of real projects: ten columns a table, of which one is an enum and one a domain, a primary key, one or
 * two foreign keys, a unique constraint, comments; views that join two tables. Each part is a transaction of its own.
 */
export function schemaFixtureSql({ schema, relations }: SchemaFixture): readonly string[] {
  const first = `
CREATE SCHEMA ${schema};
COMMENT ON SCHEMA ${schema} IS 'A schema of ${relations} relations';
CREATE TYPE ${schema}.state AS ENUM ('draft', 'active', 'paused', 'closed');
CREATE DOMAIN ${schema}.email AS text CHECK (VALUE LIKE '%@%');`;
  const parts = [first];
  let part = '';
  let lastTable = -1;
  for (let i = 0; i < relations; i++) {
    const place = i % 50;
    if (place < 39) {
      part += tableSql(schema, i, lastTable);
      lastTable = i;
    } else if (place < 49) part += viewSql(schema, i, lastTable - (place - 39));
    else
      part += `CREATE MATERIALIZED VIEW ${schema}.rel_${i} AS SELECT id, name FROM ${schema}.rel_${lastTable};\n`;
    if (i % 5 === 0) part += functionSql(schema, i);
    if ((i + 1) % RELATIONS_A_PART === 0 || i === relations - 1) {
      parts.push(part);
      part = '';
    }
  }
  return parts;
}

function tableSql(schema: string, i: number, previous: number): string {
  const parent = previous < 0 ? '' : ` REFERENCES ${schema}.rel_${previous}`;
  const owner = i === 0 ? '' : `, FOREIGN KEY (owner_id) REFERENCES ${schema}.rel_0`;
  return `
CREATE TABLE ${schema}.rel_${i} (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  parent_id bigint${parent},
  owner_id bigint NOT NULL,
  name text NOT NULL,
  code character varying(20) UNIQUE,
  price numeric(10, 2) DEFAULT 0,
  state ${schema}.state NOT NULL DEFAULT 'draft',
  contact ${schema}.email,
  details jsonb DEFAULT '{}',
  created_at timestamptz NOT NULL DEFAULT now()${owner}
);
COMMENT ON TABLE ${schema}.rel_${i} IS 'Relation number ${i}';
COMMENT ON COLUMN ${schema}.rel_${i}.code IS 'What customers call it';
`;
}

function viewSql(schema: string, i: number, table: number): string {
  return `
CREATE VIEW ${schema}.rel_${i} AS
  SELECT a.id, a.parent_id, a.owner_id, a.name, a.state, b.name AS parent_name, count(*) OVER () AS total
  FROM ${schema}.rel_${table} a LEFT JOIN ${schema}.rel_${table - 1} b ON b.id = a.parent_id;
`;
}

function functionSql(schema: string, i: number): string {
  return `
CREATE FUNCTION ${schema}.fn_${i}(term text, most integer DEFAULT 10) RETURNS SETOF ${schema}.rel_0
  LANGUAGE sql STABLE AS 'SELECT * FROM ${schema}.rel_0 WHERE name = term LIMIT most';
`;
}
