import type { ClientBase } from 'pg';
import { quoteIdent } from '../../gateway/platform/sql.ts';
import { parsePostgrestSettings } from '../../gateway/registry/postgrest-settings.ts';
import { REQUEST_ROLES } from '../../gateway/registry/tenant.ts';
import { type Finding, finding } from '../ejection/finding.ts';
import { FOREIGN_GRANTS } from '../ejection/preflight-return.sql.ts';
import { problemOfLogicalSchema, type TenantRoles, tenantRoles } from '../provision/tenant-names.ts';
import type { TenantRecord } from '../tenants/tenant-record.ts';
import * as sql from './foreign-database.sql.ts';
import { foreignSchemas } from './foreign-schemas.ts';
import type { DumpMapping } from './map-dump.ts';

/** What is a tenant's in a database that was not made here, and what it will be called as one that was. */
export interface ForeignDatabase extends DumpMapping {
  /** Errors stand in the way of an archive; warnings are what will not be in it, or will be different. */
  readonly findings: readonly Finding[];
}

type Rows = <Row>(text: string, values: readonly unknown[]) => Promise<readonly Row[]>;

/**
 * Looks at the database of a tenant that was adopted, or registered with a connection string. The tenant's are the schemas that it exposes and searches, and
 * those that anything in them depends on.
 *
 * @param client any login, with `search_path = pg_catalog, pg_temp`
 * @param login that requests use
 */
export async function readForeignDatabase(
  client: ClientBase,
  { tenant, login }: { readonly tenant: TenantRecord; readonly login: string },
): Promise<ForeignDatabase> {
  const rows: Rows = async (text, values) => (await client.query(text, [...values])).rows;
  const { dbSchemas, dbAnonRole } = parsePostgrestSettings(tenant.postgrest);
  const { schemas, outside } = await foreignSchemas(client, tenant);
  const roles = tenantRoles({ rolePrefix: tenant.id, schemaPrefix: undefined });
  const owners = (await rows<{ name: string }>(sql.OWNERS, [schemas])).map(({ name }) => name);
  const names = new Map([...owners.map((owner) => [owner, roles.owner] as const), ...requestNames(roles)]);
  const use = await rows<{ schema: string; role: string }>(sql.SCHEMA_USE, [schemas, REQUEST_ROLES]);
  return {
    schemas,
    names,
    roles,
    rights: [...Map.groupBy(use, ({ schema }) => schema)].map(([schema, allowed]) => ({
      tag: `SCHEMA ${schema}`,
      statement: `GRANT USAGE ON SCHEMA ${quoteIdent(schema)} TO ${allowed.map(({ role }) => quoteIdent(names.get(role)!)).join(', ')};\n`,
    })),
    findings: [
      ...(await schemaFindings(rows, { asked: dbSchemas, schemas, roles, tenant })),
      ...outside.map(({ object, by }) =>
        error(
          'outside_reference',
          object,
          `${by} depends on it, and it belongs to a service that stays where it is`,
          `Drop ${by} first, or make it without that`,
        ),
      ),
      ...(dbAnonRole === undefined || isRequestRole(dbAnonRole)
        ? []
        : [
            error(
              'anon_role',
              dbAnonRole,
              'Requests without a token run as it, and an installation makes anon, authenticated and service_role alone',
              'Have them run as anon: GRANT it the rights, and set postgrest.db-anon-role',
            ),
          ]),
      ...(await objectFindings(rows, schemas)),
      ...(await roleFindings(rows, { schemas, names, login })),
      ...(await leftFindings(rows, { schemas, names, login })),
    ],
  };
}

function requestNames(roles: TenantRoles): readonly (readonly [string, string])[] {
  return [
    ['anon', roles.anon],
    ['authenticated', roles.authenticated],
    ['service_role', roles.serviceRole],
  ];
}

function isRequestRole(name: string): boolean {
  return (REQUEST_ROLES as readonly string[]).includes(name);
}

async function schemaFindings(
  rows: Rows,
  {
    asked,
    schemas,
    roles,
    tenant,
  }: {
    readonly asked: readonly string[];
    readonly schemas: readonly string[];
    readonly roles: TenantRoles;
    readonly tenant: TenantRecord;
  },
): Promise<readonly Finding[]> {
  const naming = { rolePrefix: tenant.id, schemaPrefix: undefined };
  const others = await rows<{ name: string }>(sql.OTHER_SCHEMAS, [schemas]);
  return [
    ...asked
      .filter((name) => !schemas.includes(name))
      .map((name) =>
        error(
          'schema_missing',
          name,
          'The tenant exposes it, and it is not there',
          'Make it, or take it out of postgrest.db-schemas',
        ),
      ),
    ...schemas.flatMap((name) => {
      const problem = problemOfLogicalSchema(naming, name);
      return problem === undefined
        ? []
        : [
            error(
              'schema_name',
              name,
              `The schema ${problem}`,
              `Rename it; it would be owned by ${roles.owner}`,
            ),
          ];
    }),
    ...others.map(({ name }) =>
      warning(
        'outside_reference',
        name,
        'The schema stays where it is: it is neither exposed nor does anything that is depend on it',
        'If functions name it in their text, add it to postgrest.db-extra-search-path',
      ),
    ),
  ];
}

async function objectFindings(rows: Rows, schemas: readonly string[]): Promise<readonly Finding[]> {
  const problems = await rows<{ code: keyof typeof PROBLEMS; object: string; role: string }>(sql.PROBLEMS, [
    schemas,
    REQUEST_ROLES,
  ]);
  return problems.map(({ code, object, role }) => PROBLEMS[code](object, role));
}

const PROBLEMS = {
  foreign_table: (object: string) =>
    error(
      'foreign_table',
      object,
      'A foreign table: its server belongs to no schema',
      'Drop it first, and make server and table again afterwards',
    ),
  foreign_owner: (object: string, role: string) =>
    error(
      'foreign_owner',
      object,
      `Belongs to ${role}: requests may do with it what an owner may, which no grant tells`,
      'ALTER … OWNER TO the owner of the others, and GRANT what requests need',
    ),
  definer_function: (object: string, role: string) =>
    error(
      'definer_function',
      object,
      `Runs with the rights of ${role}, which is not the owner of all tables; it would run with the owner's`,
      'ALTER … OWNER TO the owner of the tables if it may have that, or SECURITY INVOKER',
    ),
};

/** What is the tenant's, and who reads it. */
interface Reach {
  readonly schemas: readonly string[];
  /** Roles there → roles of an installation. */
  readonly names: ReadonlyMap<string, string>;
  readonly login: string;
}

async function roleFindings(rows: Rows, { schemas, names, login }: Reach): Promise<readonly Finding[]> {
  const named = await rows<{ object: string; about: string }>(FOREIGN_GRANTS, [schemas, [...names.keys()]]);
  const reachable = new Set(
    (await rows<{ name: string }>(sql.REACHABLE_ROLES, [[login, ...REQUEST_ROLES]])).map(({ name }) => name),
  );
  const byRole = Map.groupBy(named, ({ about }) => about);
  return [...byRole].toSorted().map(([role, rights]) => {
    const where = `${rights[0]!.object}${rights.length === 1 ? '' : ` and ${rights.length - 1} more`}`;
    return reachable.has(role)
      ? error(
          'foreign_grant',
          role,
          `Requests can become it or have its rights (${where}), and an installation makes anon, authenticated and service_role alone`,
          `Give its rights to one of the three, and REVOKE "${role}" FROM who is a member of it`,
        )
      : warning('foreign_grant', role, `Rights and policies of the role are left out (${where})`);
  });
}

/** What a dump of schemas does not hold. */
async function leftFindings(rows: Rows, { schemas, names, login }: Reach): Promise<readonly Finding[]> {
  const settings = await rows<{ role: string; setting: string }>(sql.ROLE_SETTINGS, [REQUEST_ROLES, login]);
  const found = await rows<{ name: string; bypasses: boolean }>(sql.REQUEST_ROLES, [REQUEST_ROLES]);
  const [objects] = await rows<{ own: number; all: number }>(sql.LARGE_OBJECTS, [schemas, [...names.keys()]]);
  const others = objects!.all - objects!.own;
  const extensions = await rows<{ name: string }>(sql.OTHER_EXTENSIONS, [schemas]);
  return [
    ...[...Map.groupBy(settings, ({ role }) => role)].map(([role, some]) =>
      warning(
        'role_missing',
        role,
        `Its settings are left out: ${some.map(({ setting }) => setting).join(', ')}`,
        'statement_timeout_ms and postgrest of the tenant say such things here',
      ),
    ),
    ...(found.some(({ name, bypasses }) => name === 'service_role' && !bypasses)
      ? [
          warning(
            'no_bypassrls',
            'service_role',
            'Is subject to row-level security, and will not be where an installation makes it',
            'Keep the secret key to yourself',
          ),
        ]
      : []),
    ...extensions.map(({ name }) =>
      warning(
        'extension_missing',
        name,
        'The extension is left out: no table, view or default needs it',
        'If functions name it in their text, make it at the new place',
      ),
    ),
    ...(others === 0
      ? []
      : [
          warning(
            'large_objects',
            'database',
            `${others} large objects belong to nobody who owns anything of the tenant's, and are left out`,
          ),
        ]),
  ];
}

function error(code: Finding['code'], object: string, text: string, todo?: string): Finding {
  return finding('error', code, { object, text, ...(todo === undefined ? {} : { todo }) });
}

function warning(code: Finding['code'], object: string, text: string, todo?: string): Finding {
  return finding('warning', code, { object, text, ...(todo === undefined ? {} : { todo }) });
}
