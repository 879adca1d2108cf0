import { z } from 'zod';

const Tenant = z.object({
  id: z.string(),
  status: z.string(),
  hosts: z.array(z.string()),
  created_at: z.string(),
  backends: z
    .object({ storage: z.object({ kind: z.string() }).optional(), vectors: z.unknown().optional() })
    .default({}),
});
export type Tenant = z.output<typeof Tenant>;

/** What a move has come to, kept by the installation that the tenant leaves. */
const Notes = z.object({
  /** Copies of the tenant are counted; each has jobs and an upload of its own. */
  round: z.int().default(1),
  export_job: z.string().optional(),
  upload: z.string().optional(),
  hydrate_job: z.string().optional(),
  /** Hydration of an earlier copy, of which the new one keeps files and vectors. */
  replaces: z.string().optional(),
  /** How long export and sending took; hydrating tells its own time. */
  sent_seconds: z.number().optional(),
  /** The same, had files and vectors been left out. */
  lean_seconds: z.number().optional(),
  /** Hash of what was defined in the database when the copy was made, or before. */
  definitions: z.string().optional(),
});
export type Notes = z.output<typeof Notes>;

const Move = z.object({
  id: z.string(),
  to: z.string(),
  gateway_url: z.string(),
  state: z.enum(['open', 'frozen', 'forwarding', 'ended']),
  status_before: z.enum(['active', 'suspended']),
  freeze: z.string().nullable(),
  notes: Notes,
});
export type Move = z.output<typeof Move>;

const Job = z.object({
  id: z.string(),
  state: z.string(),
  progress: z.number(),
  message: z.string().nullable(),
  error: z
    .object({
      message: z.string(),
      code: z.string().nullish(),
      hint: z.string().nullish(),
      details: z.string().nullish(),
    })
    .nullable(),
  result: z.record(z.string(), z.unknown()).nullable(),
  started_at: z.string().nullable(),
  finished_at: z.string().nullable(),
});
export type Job = z.output<typeof Job>;

const Table = z.object({ schema: z.string(), name: z.string(), rows: z.string(), digest: z.string() });

const Digest = z.object({
  definitions: z.string(),
  tables: z.array(Table),
  sequences: z.string(),
  large_objects: z.string(),
  files: z.object({ count: z.number(), bytes: z.number(), digest: z.string() }),
  collections: z.array(z.object({ name: z.string(), points: z.number(), digest: z.string().nullable() })),
  registry: z.string(),
  contents_seconds: z.number().default(0),
});
/** What a tenant holds, as `POST /v1/tenants/:id/digest` tells it. */
export type Digest = z.output<typeof Digest>;

export const parseTenant = (json: unknown): Tenant => z.object({ tenant: Tenant }).parse(json).tenant;
export const parseMove = (json: unknown): Move => z.object({ move: Move }).parse(json).move;
export const parseJobs = (json: unknown): Job[] => z.object({ jobs: z.array(Job) }).parse(json).jobs;
export const parseJob = (json: unknown): Job => z.object({ job: Job }).parse(json).job;
export const parseDigest = (result: unknown): Digest => Digest.parse(result);
export const parseDefinitions = (result: unknown): string =>
  z.object({ definitions: z.string() }).parse(result).definitions;
/** Of a dry run: what would be done, one sentence each. */
export const parsePlan = (result: unknown): string[] =>
  z.object({ plan: z.array(z.string()) }).parse(result).plan;
export const parseUpload = (json: unknown): { id: string; offset: number } =>
  z.object({ upload: z.object({ id: z.string(), offset: z.number() }) }).parse(json).upload;
export const parseArchive = (result: unknown): { size: number; contents_seconds: number } =>
  z.object({ archive: z.object({ size: z.number(), contents_seconds: z.number().default(0) }) }).parse(result)
    .archive;
/** Of a hydration: how long files and vectors took. */
export const parseContentsSeconds = (result: unknown): number =>
  z.object({ contents_seconds: z.number().default(0) }).parse(result ?? {}).contents_seconds;
export const parseInstallation = (json: unknown): { gateway_url: string | null; postgres_major: number } =>
  z
    .object({ installation: z.object({ gateway_url: z.string().nullable(), postgres_major: z.number() }) })
    .parse(json).installation;
export const parseTenantPage = (json: unknown): { tenants: Tenant[]; next: string | null } =>
  z.object({ tenants: z.array(Tenant), next: z.string().nullable() }).parse(json);
