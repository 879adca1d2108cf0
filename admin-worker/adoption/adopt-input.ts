import { z } from 'zod';
import { CaCertificate, CreateTenantInput, Dsn } from '../tenants/tenant-input.ts';

const RoleName = z
  .string()
  .min(1)
  .max(63)
  .regex(/^[^\0]+$/);

const { hosts, jwt, require_api_key, limits, postgrest } = CreateTenantInput.shape;

const Place = {
  remote_connection_string: Dsn.describe(
    'The database as it is, with a login that may make roles there, or (login: "given") the one that requests shall use',
  ),
  ca_certificate: CaCertificate.nullish(),
  read_replica_url: Dsn.nullish().describe(
    'A streaming replica of it. With login "make" its login is used for looking whether it is one; requests get theirs',
  ),
  schemas: z
    .array(z.string().min(1).max(63))
    .min(1)
    .max(50)
    .default(['public'])
    .describe('Schemas to expose; the first one is the default'),
  roles: z
    .array(RoleName)
    .min(1)
    .max(20)
    .default(['anon', 'authenticated', 'service_role'])
    .describe('Roles that requests may have, by their names in tokens and in the database'),
  make_missing_roles: z
    .boolean()
    .default(false)
    .describe('Makes those that are not there, with the right to use the schemas and no others'),
  login: z
    .enum(['make', 'given'])
    .default('make')
    .describe('make: requests get a login of their own that can become these roles and nothing else'),
};

/** Body of `POST /v1/tenants/:id/adopt/preflight`. */
export const AdoptPreflightInput = z.strictObject(Place);
export type AdoptPlace = z.output<typeof AdoptPreflightInput>;

/** What the job is given, sealed as a whole. */
export const Adoption = z.strictObject({
  ...Place,
  hosts,
  migrations_connection_string: Dsn.nullish().describe(
    'A login that owns the schemas: migrations run with it. Absent: there are none by this installation',
  ),
  jwt,
  require_api_key,
  limits,
  postgrest,
});
export type Adoption = z.output<typeof Adoption>;
