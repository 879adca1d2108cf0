import type { ClientBase } from 'pg';
import { tenantLogin } from '../../gateway/platform/derived-logins.ts';
import { parsePostgrestSettings } from '../../gateway/registry/postgrest-settings.ts';
import { Secret } from '../../gateway/registry/secrets.ts';
import type { TenantServer } from '../connections.ts';
import { asking, unreachableTarget } from '../ejection/asking.ts';
import { type Finding, type FindingCode, finding } from '../ejection/finding.ts';
import { namesOfCatalog } from '../ejection/move.ts';
import { inspectReplica } from '../ejection/preflight-replica.ts';
import type { AdminServices } from '../tenants/admin-services.ts';
import type { Adoption, AdoptPlace } from './adopt-input.ts';
import { ADOPTED_LOGIN, ADOPTED_OBJECTS, ADOPTED_ROLES, ADOPTED_SCHEMAS } from './preflight-adopt.sql.ts';

export interface AdoptionPlan {
  readonly tenantId: string;
  readonly server: TenantServer;
  readonly place: AdoptPlace;
  /** `db-anon-role`; `undefined`: requests without a token are refused. */
  readonly anonRole: string | undefined;
  /** Of our own cluster; `undefined` where it cannot be asked. */
  readonly ownSystem: string | undefined;
}

/** What the preflight is asked. */
export async function adoptionPlan(
  { networkPolicy, control }: Pick<AdminServices, 'networkPolicy' | 'control'>,
  tenantId: string,
  place: AdoptPlace & { readonly postgrest?: Adoption['postgrest'] },
): Promise<AdoptionPlan> {
  const { rows } = await control.query<{ system: string }>(
    'SELECT system_identifier::text AS system FROM pg_control_system()',
  );
  return {
    tenantId,
    place,
    server: {
      url: namesOfCatalog(new Secret(place.remote_connection_string)),
      foreign: { policy: networkPolicy, caCertificate: place.ca_certificate ?? undefined },
    },
    anonRole: parsePostgrestSettings(place.postgrest ?? {}).dbAnonRole,
    ownSystem: rows[0]?.system,
  };
}

interface Login {
  readonly login: string;
  readonly major: number;
  readonly is_replica: boolean;
  readonly is_super: boolean;
  readonly can_create_roles: boolean;
  readonly has_more: boolean;
  readonly database: string;
  readonly system: string | null;
  readonly taken: boolean;
  readonly has_auth: boolean;
}

interface Role {
  readonly name: string;
  readonly exists: boolean;
  readonly is_super: boolean;
  readonly bypasses: boolean;
  readonly has_more: boolean;
  readonly is_member: boolean;
  readonly can_be_granted: boolean;
  readonly becomes: readonly string[];
}

/** Logical column lists of a picture are read with what is there from this version on. */
const OLDEST_MAJOR = 13;

/** Tells all that stands in the way of making a tenant of a database that is there already. Changes nothing; what cannot be reached is a finding. */
export async function preflightAdopt(plan: AdoptionPlan): Promise<readonly Finding[]> {
  const replica = plan.place.read_replica_url ?? undefined;
  return await asking(plan.server, async (client) => [
    ...(await inspect(client, plan)),
    ...(replica === undefined ? [] : await inspectReplica(new Secret(replica), plan.server)),
  ]).catch(unreachableTarget);
}

async function inspect(client: ClientBase, plan: AdoptionPlan): Promise<readonly Finding[]> {
  const { place, tenantId, anonRole, ownSystem } = plan;
  const { schemas, roles } = place;
  const login = (await client.query<Login>(ADOPTED_LOGIN, [tenantLogin(tenantId)])).rows[0]!;
  const found = (await client.query<Role>(ADOPTED_ROLES, [roles])).rows;
  const missingSchemas = (await client.query<{ name: string }>(ADOPTED_SCHEMAS, [schemas])).rows;
  const objects = (
    await client.query<{ code: FindingCode; object: string; about: string }>(ADOPTED_OBJECTS, [
      schemas,
      roles.filter((role) => role !== 'service_role'),
    ])
  ).rows;
  return [
    ...inspectServer(login, ownSystem),
    ...(place.login === 'make' ? inspectMaking(login) : inspectGiven(login)),
    ...found.flatMap((role) => inspectRole(role, { place, login })),
    ...(anonRole === undefined || roles.includes(anonRole)
      ? []
      : [
          finding('error', 'anon_role', {
            object: anonRole,
            text: `db-anon-role is ${anonRole}, which is none of the roles that requests may have`,
            todo: 'Add it to roles, name another one in postgrest.db-anon-role, or set that to null',
          }),
        ]),
    ...['anon', 'service_role']
      .filter((role) => !roles.includes(role))
      .map((role) =>
        finding('warning', 'key_role', {
          object: role,
          text: `The ${role === 'anon' ? 'publishable' : 'secret'} key stands for ${role}, which is none of the roles: requests with it will be refused`,
          todo: 'Add the role, or use tokens of your own',
        }),
      ),
    ...missingSchemas.map(({ name }) =>
      finding('error', 'schema_missing', {
        object: name,
        text: `There is no schema ${name}`,
        todo: 'Make it, or leave it out of schemas',
      }),
    ),
    ...objects.map(({ code, object, about }) => OBJECT_FINDINGS[code]?.(object, about)).filter(isFinding),
    ...(login.has_auth
      ? []
      : [
          finding('info', 'auth_helpers', {
            object: 'auth',
            text: 'There is no auth.uid(): policies of Supabase projects call it',
            todo: "Where they are wanted: CREATE FUNCTION auth.uid() … current_setting('request.jwt.claims', true)",
          }),
        ]),
  ];
}

function inspectServer(login: Login, ownSystem: string | undefined): readonly Finding[] {
  const error = (code: FindingCode, text: string, todo: string) =>
    finding('error', code, { object: 'target', text, todo });
  return [
    ...(login.is_replica
      ? [error('read_only', 'The server is a standby: nothing can be written to it', 'Give its primary')]
      : []),
    ...(login.major < OLDEST_MAJOR
      ? [error('version_older', `The server is PostgreSQL ${login.major}`, `Use ${OLDEST_MAJOR} or newer`)]
      : []),
    ...(login.system !== null &&
    login.system === ownSystem &&
    /^(?:cascata|postgres$|template)/.test(login.database)
      ? [
          error(
            'same_database',
            `${login.database} is a database of this installation itself`,
            'Give the one that is to become a tenant',
          ),
        ]
      : []),
  ];
}

function inspectMaking(login: Login): readonly Finding[] {
  return [
    ...(login.can_create_roles
      ? []
      : [
          finding('error', 'no_createrole', {
            object: 'target',
            text: `${login.login} may not make a login`,
            todo: `ALTER ROLE "${login.login}" CREATEROLE, or give the login that requests shall use, with "login": "given"`,
          }),
        ]),
    ...(login.taken
      ? [
          finding('error', 'role_exists', {
            object: 'target',
            text: 'There is a login of the name that requests would get already',
            todo: 'Drop it, or choose another id',
          }),
        ]
      : []),
  ];
}

/** Whoever finds a way round `SET ROLE` in SQL of the project's has the rights of the login. */
function inspectGiven(login: Login): readonly Finding[] {
  if (login.is_super) {
    return [
      finding('error', 'login_too_strong', {
        object: login.login,
        text: 'Requests would log in as a superuser, and code of the project could be that too',
        todo: 'Use "login": "make", or give one that is a member of the roles and of nothing else',
      }),
    ];
  }
  return login.has_more
    ? [
        finding('warning', 'login_too_strong', {
          object: login.login,
          text: 'The login has rights of its own (CREATEROLE, CREATEDB, REPLICATION, BYPASSRLS, or roles beside those of requests)',
          todo: 'Use "login": "make", or give one that is a member of the roles and of nothing else',
        }),
      ]
    : [];
}

function inspectRole(
  role: Role,
  { place, login }: { readonly place: AdoptPlace; readonly login: Login },
): readonly Finding[] {
  const { name } = role;
  const error = (code: FindingCode, text: string, todo: string) =>
    finding('error', code, { object: name, text, todo });
  if (!role.exists) {
    return place.make_missing_roles && login.can_create_roles
      ? [
          finding('info', 'role_missing', {
            object: name,
            text: 'Will be made, with the right to use the schemas',
          }),
        ]
      : [
          error(
            'role_missing',
            `There is no role ${name}`,
            `CREATE ROLE "${name}" NOLOGIN, set "make_missing_roles", or leave it out of roles`,
          ),
        ];
  }
  const isService = name === 'service_role';
  return [
    ...(role.is_super || (role.bypasses && !isService) || role.becomes.length > 0
      ? [
          error(
            'role_too_strong',
            role.is_super
              ? `${name} is a superuser`
              : role.becomes.length > 0
                ? `${name} can become ${role.becomes.join(', ')}`
                : `${name} is not subject to row-level security`,
            'Take that away from it, or leave it out of roles',
          ),
        ]
      : []),
    ...(role.has_more
      ? [
          finding('warning', 'role_too_strong', {
            object: name,
            text: `${name} may create roles or databases, or replicate`,
            todo: 'ALTER ROLE … NOCREATEROLE NOCREATEDB NOREPLICATION',
          }),
        ]
      : []),
    ...(isService && !role.bypasses
      ? [
          finding('warning', 'no_bypassrls', {
            object: name,
            text: 'service_role is subject to row-level security here, unlike on Supabase',
            todo: 'ALTER ROLE service_role BYPASSRLS',
          }),
        ]
      : []),
    ...((place.login === 'given' ? !role.is_member : !role.can_be_granted)
      ? [
          error(
            'login_roles',
            place.login === 'given'
              ? `${login.login} is not a member of ${name}`
              : `${login.login} may not make another login a member of ${name}`,
            place.login === 'given'
              ? `GRANT "${name}" TO "${login.login}"`
              : `GRANT "${name}" TO "${login.login}" WITH ADMIN OPTION`,
          ),
        ]
      : []),
  ];
}

const OBJECT_FINDINGS: Partial<Record<FindingCode, (object: string, about: string) => Finding>> = {
  rls_off: (object, about) =>
    finding('warning', 'rls_off', {
      object,
      text: `Has no row-level security, and ${about} may read or change it: everybody who has the publishable key can`,
      todo: 'ALTER TABLE … ENABLE ROW LEVEL SECURITY, or take the rights away',
    }),
  definer_function: (object, about) =>
    finding('warning', 'definer_function', {
      object,
      text: `Runs with the rights of ${about}, a superuser, whoever calls it`,
      todo: 'Make sure that it does what it should and has a search_path of its own, or change its owner',
    }),
  no_usage: (object) =>
    finding('warning', 'no_usage', {
      object,
      text: 'None of the roles may use the schema: requests will find nothing in it',
      todo: 'GRANT USAGE ON SCHEMA … TO …',
    }),
};

function isFinding(found: Finding | undefined): found is Finding {
  return found !== undefined;
}
