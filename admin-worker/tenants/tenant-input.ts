import { z } from 'zod';
import { PostgrestSettingsError, parsePostgrestSettings } from '../../gateway/registry/postgrest-settings.ts';
import type { LimitColumn } from '../../gateway/registry/tenant.ts';
import { BackendsInput } from '../backends/backend-input.ts';
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

/** Hosts of a tenant, in lower case. */
export const Hosts = z
  .array(Host)
  .min(1)
  .max(100)
  .refine((hosts) => new Set(hosts).size === hosts.length, { error: 'names a host twice' });

export const Dsn = z
  .string()
  .check(checked(problemOfDsn))
  .describe('postgres://user:password@host:port/database');

export const CaCertificate = z
  .string()
  .max(100_000)
  .check(checked(problemOfCertificates))
  .describe('PEM of the authorities that sign the servers’ certificates; absent: those of the system');

const OwnPlace = {
  read_replica_url: Dsn.nullish(),
  read_replica_urls: z
    .array(Dsn)
    .max(16)
    .nullish()
    .describe('Several streaming replicas; excludes read_replica_url'),
  ca_certificate: CaCertificate.nullish(),
};

/** What two parts of a placement say of each other. */
function checkPlacement({ value, issues }: z.core.ParsePayload<ChangedPlacement>): void {
  if (value.kind === 'shared') return;
  const { read_replica_url: one, read_replica_urls: several } = value;
  if (typeof one === 'string' && Array.isArray(several)) {
    const message = 'give either read_replica_url or read_replica_urls';
    issues.push({ code: 'custom', message, path: ['read_replica_urls'], input: undefined });
  }
  if (typeof value.ca_certificate !== 'string') return;
  const primary = value.kind === 'remote' ? value.remote_connection_string : undefined;
  // What is kept is not known here.
  if (value.kind === 'remote' && primary === undefined) return;
  const dsns = [one, ...(several ?? []), primary];
  if (dsns.some((dsn) => typeof dsn === 'string' && usesTls(dsn))) return;
  issues.push({
    code: 'custom',
    message: 'is of no use without sslmode=verify-ca or sslmode=verify-full in the connection string',
    path: ['ca_certificate'],
    input: undefined,
  });
}

const Local = [
  z.strictObject({ kind: z.literal('shared') }),
  z.strictObject({ kind: z.literal('database'), ...OwnPlace }),
] as const;
const Placement = z
  .discriminatedUnion('kind', [
    ...Local,
    z.strictObject({ kind: z.literal('remote'), remote_connection_string: Dsn, ...OwnPlace }),
  ])
  .check(checkPlacement);

const AnyPlacement = z.discriminatedUnion('kind', [
  ...Local,
  z.strictObject({
    kind: z.literal('remote'),
    remote_connection_string: Dsn.optional().describe(
      'Absent: a remote tenant stays where it is, and its replicas are reached by the login that it has there',
    ),
    ...OwnPlace,
  }),
]);
type ChangedPlacement = z.output<typeof AnyPlacement>;
const ChangedPlacement = AnyPlacement.check(checkPlacement);

export const Isolation = z
  .enum(['sealed', 'trusted'])
  .describe(
    'Of the placement "shared" only, where "sealed" is the default; "trusted": SQL of the project can reach other trusted ones',
  );

const PostgrestValue = z.union([z.string(), z.number(), z.boolean(), z.null()]);
export const Postgrest = z
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

const MAX_INTEGER = 2_147_483_647;
const Limit = z.int().positive().max(MAX_INTEGER).nullable();
const LimitOrNone = z.int().min(0).max(MAX_INTEGER).nullable();
const LIMITS = {
  max_in_flight: Limit.describe('Transactions at once, in each gateway process'),
  statement_timeout_ms: Limit,
  max_body_bytes: Limit,
  max_queue: LimitOrNone.describe('Transactions that may wait; 0: none'),
  max_queue_wait_ms: Limit,
  requests_per_second: Limit.describe('In each gateway process'),
  max_header_bytes: Limit,
  max_rows: Limit.describe('Caps db-max-rows'),
  max_replica_lag_ms: LimitOrNone.describe('0: the primary answers everything'),
} satisfies Record<LimitColumn, unknown>;
export const Limits = z.strictObject(LIMITS).partial();

/** An id that a tenant can have. */
export const TenantIdInput = z.string().check(checked(problemOfTenantId)).meta({ pattern: TENANT_ID.source });

/** Body of `POST /v1/tenants`. */
export const CreateTenantInput = z.strictObject({
  id: TenantIdInput,
  hosts: Hosts,
  placement: Placement.default({ kind: 'shared' }),
  isolation: Isolation.optional(),
  jwt: JwtInput.nullish().describe('null: no secret (PGRST300); absent: a secret is generated'),
  require_api_key: z.boolean().default(false),
  limits: Limits.default({}),
  postgrest: Postgrest.default({}),
  backends: BackendsInput.default({}),
});
export type CreateTenantInput = z.output<typeof CreateTenantInput>;

/** Body of `PATCH /v1/tenants/:id`: what is absent stays. `postgrest`, `limits` and `backends` are merged name by name. */
export const UpdateTenantInput = z
  .strictObject({
    hosts: Hosts,
    status: z.enum(['active', 'suspended']),
    placement: ChangedPlacement,
    isolation: Isolation,
    jwt: JwtInput.nullable(),
    require_api_key: z.boolean(),
    limits: Limits,
    postgrest: Postgrest,
    backends: BackendsInput,
  })
  .partial();
export type UpdateTenantInput = z.output<typeof UpdateTenantInput>;

export type PlacementInput = z.output<typeof Placement>;
/** As it is given in a change: of a remote place the connection string may be left out. */
export type ChangedPlacementInput = ChangedPlacement;
