import { z } from 'zod';
import { PostgrestSettingsError, parsePostgrestSettings } from '../../gateway/registry/postgrest-settings.ts';
import { problemOfHost, problemOfTenantId, TENANT_ID } from '../provision/tenant-names.ts';
import { problemOfCertificates, problemOfDsn, usesTls } from './dsn.ts';
import { JwtInput } from './jwt-input.ts';

/** A check that gives the end of a sentence, or `undefined` when all is well. */
function checked(problemOf: (value: string) => string | undefined) {
  return (context: z.core.ParsePayload<string>) => {
    const message = problemOf(context.value);
    if (message !== undefined) context.issues.push({ code: 'custom', message, input: context.value });
  };
}

const Host = z
  .string()
  .trim()
  .toLowerCase()
  .check(checked(problemOfHost))
  .describe('Host name in lower case, without port, or a pattern like *.example.com');

const Hosts = z
  .array(Host)
  .min(1)
  .max(100)
  .refine((hosts) => new Set(hosts).size === hosts.length, { error: 'names a host twice' });

const Dsn = z.string().check(checked(problemOfDsn)).describe('postgres://user:password@host:port/database');

const CaCertificate = z
  .string()
  .max(100_000)
  .check(checked(problemOfCertificates))
  .describe('PEM of the authorities that sign the servers’ certificates; absent: those of the system');

const Placement = z
  .discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('shared') }),
    z.strictObject({
      kind: z.literal('database'),
      read_replica_url: Dsn.nullish(),
      ca_certificate: CaCertificate.nullish(),
    }),
    z.strictObject({
      kind: z.literal('remote'),
      remote_connection_string: Dsn,
      read_replica_url: Dsn.nullish(),
      ca_certificate: CaCertificate.nullish(),
    }),
  ])
  .check((context) => {
    const { value } = context;
    if (value.kind === 'shared' || typeof value.ca_certificate !== 'string') return;
    const dsns = [
      value.read_replica_url,
      value.kind === 'remote' ? value.remote_connection_string : undefined,
    ];
    if (dsns.some((dsn) => typeof dsn === 'string' && usesTls(dsn))) return;
    context.issues.push({
      code: 'custom',
      message: 'is of no use without sslmode=verify-ca or sslmode=verify-full in the connection string',
      path: ['ca_certificate'],
      input: undefined,
    });
  });

const Isolation = z
  .enum(['sealed', 'trusted'])
  .describe(
    'Of the placement "shared" only, where "sealed" is the default; "trusted": SQL of the project can reach other trusted ones',
  );

const PostgrestValue = z.union([z.string(), z.number(), z.boolean(), z.null()]);
const Postgrest = z
  .record(z.string(), PostgrestValue)
  .check((context) => {
    try {
      parsePostgrestSettings(context.value);
    } catch (error) {
      if (!(error instanceof PostgrestSettingsError)) throw error;
      for (const { name, message } of error.problems) {
        context.issues.push({ code: 'custom', message, path: [name], input: context.value[name] });
      }
    }
  })
  .describe("PostgREST's own setting names");

const Limit = z.int().positive().max(2_147_483_647).nullable();
const Limits = z
  .strictObject({ max_in_flight: Limit, statement_timeout_ms: Limit, max_body_bytes: Limit })
  .partial();

/** Body of `POST /v1/tenants`. */
export const CreateTenantInput = z.strictObject({
  id: z.string().check(checked(problemOfTenantId)).meta({ pattern: TENANT_ID.source }),
  hosts: Hosts,
  placement: Placement.default({ kind: 'shared' }),
  isolation: Isolation.optional(),
  jwt: JwtInput.nullish().describe('null: no secret (PGRST300); absent: a secret is generated'),
  require_api_key: z.boolean().default(false),
  limits: Limits.default({}),
  postgrest: Postgrest.default({}),
});
export type CreateTenantInput = z.output<typeof CreateTenantInput>;

/** Body of `PATCH /v1/tenants/:id`: what is absent stays. `postgrest` and `limits` are merged name by name. */
export const UpdateTenantInput = z
  .strictObject({
    hosts: Hosts,
    status: z.enum(['active', 'suspended']),
    placement: Placement,
    isolation: Isolation,
    jwt: JwtInput.nullable(),
    require_api_key: z.boolean(),
    limits: Limits,
    postgrest: Postgrest,
  })
  .partial();
export type UpdateTenantInput = z.output<typeof UpdateTenantInput>;

export type PlacementInput = z.output<typeof Placement>;
