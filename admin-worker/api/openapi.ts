import { z } from 'zod';
import { AdoptPreflightInput } from '../adoption/adopt-input.ts';
import { JOB_KINDS } from '../jobs/job-list.ts';
import { JOB_STATES } from '../jobs/job-record.ts';
import { CreateTenantInput, UpdateTenantInput } from '../tenants/tenant-input.ts';
import { AdoptInput } from './adopt-routes.ts';
import { BringExtensionInput, ClusterExtensionsInput } from './cluster-extension-routes.ts';
import { DigestInput } from './digest-routes.ts';
import {
  DeleteOldCopyInput,
  EjectInput,
  FlipBackInput,
  PreflightInput,
  RepatriateInput,
  RepatriatePreflightInput,
} from './eject-routes.ts';
import { ExportInput } from './export-routes.ts';
import { ExtensionInput, WithdrawExtensionInput } from './extension-routes.ts';
import { HydrateInput } from './hydrate-routes.ts';
import { JobLogQuery, ListJobsQuery } from './job-routes.ts';
import { RotateKeysInput } from './key-routes.ts';
import { MigrationsInput } from './migration-routes.ts';
import { EndForwardQuery, ForwardInput, FreezeInput, MoveInput, MoveNotesInput } from './move-routes.ts';
import { ListTenantsQuery } from './tenant-routes.ts';

type Json = Readonly<Record<string, unknown>>;

/** The OpenAPI 3.1 description of the admin API, with bodies from the schemas that requests are parsed with. */
export function openapiDocument(): Json {
  return {
    openapi: '3.1.0',
    info: { title: 'Cascata Edge admin API', version: '1' },
    components: {
      securitySchemes: { adminToken: { type: 'http', scheme: 'bearer' } },
      schemas: {
        CreateTenant: jsonSchema(CreateTenantInput),
        UpdateTenant: jsonSchema(UpdateTenantInput),
        RotateKeys: jsonSchema(RotateKeysInput),
        Migrations: jsonSchema(MigrationsInput),
        Export: jsonSchema(ExportInput),
        Adopt: jsonSchema(AdoptInput),
        AdoptPreflight: jsonSchema(AdoptPreflightInput),
        Eject: jsonSchema(EjectInput),
        EjectPreflight: jsonSchema(PreflightInput),
        FlipBack: jsonSchema(FlipBackInput),
        Repatriate: jsonSchema(RepatriateInput),
        RepatriatePreflight: jsonSchema(RepatriatePreflightInput),
        DeleteOldCopy: jsonSchema(DeleteOldCopyInput),
        Hydrate: jsonSchema(HydrateInput),
        Digest: jsonSchema(DigestInput),
        Move: jsonSchema(MoveInput),
        MoveNotes: jsonSchema(MoveNotesInput),
        Freeze: jsonSchema(FreezeInput),
        Forward: jsonSchema(ForwardInput),
        Extension: jsonSchema(ExtensionInput),
        ClusterExtensions: jsonSchema(ClusterExtensionsInput),
        BringExtension: jsonSchema(BringExtensionInput),
        WithdrawExtension: jsonSchema(WithdrawExtensionInput),
        Job: JOB,
        ...payloads(),
        Error: ERROR,
      },
    },
    security: [{ adminToken: [] }],
    paths: paths(),
  };
}

function jsonSchema(schema: z.ZodType): Json {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });
  return rest;
}

/** `JobPayload.apply-migrations` and so on: what jobs of each kind are given, for whoever reads a queue. */
function payloads(): Json {
  return Object.fromEntries(
    JOB_KINDS.map(({ name, summary, payload }) => [
      `JobPayload.${name}`,
      { description: summary, ...jsonSchema(payload) },
    ]),
  );
}

const TIME: Json = { type: ['string', 'null'], format: 'date-time' };
const TEXT_OR_NULL: Json = { type: ['string', 'null'] };

const JOB: Json = {
  type: 'object',
  properties: {
    id: { type: 'string', format: 'uuid' },
    name: { enum: JOB_KINDS.map(({ name }) => name), description: 'Its kind' },
    tenant: TEXT_OR_NULL,
    state: { enum: JOB_STATES },
    progress: { type: 'integer', minimum: 0, maximum: 100 },
    step: TEXT_OR_NULL,
    message: TEXT_OR_NULL,
    dry_run: { type: 'boolean' },
    priority: { type: 'integer' },
    attempt: { type: 'integer' },
    failures: { type: 'integer' },
    steps_begun: { type: 'array', items: { type: 'string' } },
    steps_done: { type: 'array', items: { type: 'string' } },
    cancel_requested: { type: 'boolean' },
    undoing: { type: 'boolean' },
    error: { oneOf: [{ type: 'null' }, { type: 'object', required: ['message'] }] },
    result: { type: ['object', 'null'] },
    created_at: { type: 'string', format: 'date-time' },
    started_at: TIME,
    finished_at: TIME,
    deadline_at: TIME,
  },
};

const ERROR: Json = {
  type: 'object',
  required: ['code', 'message', 'details', 'hint'],
  properties: {
    code: { type: 'string' },
    message: { type: 'string' },
    details: {
      oneOf: [
        { type: 'null' },
        { type: 'string' },
        {
          type: 'array',
          items: {
            type: 'object',
            properties: { path: { type: 'string' }, message: { type: 'string' } },
          },
        },
      ],
    },
    hint: { type: ['string', 'null'] },
  },
};

interface Operation {
  readonly summary: string;
  readonly status: string;
  readonly body?: string;
  readonly parameters?: readonly Json[];
  readonly isPublic?: boolean;
  /** Answers with a job, and takes an `Idempotency-Key`. */
  readonly makesJob?: boolean;
}

function paths(): Json {
  const id = parameter('id', 'path');
  const job = { parameters: [id] };
  return {
    '/v1/tenants': {
      post: operation({ summary: 'Create a tenant', status: '201', body: 'CreateTenant' }),
      get: operation({
        summary: 'List tenants by id',
        status: '200',
        parameters: queryParameters(ListTenantsQuery),
      }),
    },
    '/v1/tenants/{id}': {
      ...job,
      get: operation({ summary: 'Show a tenant', status: '200' }),
      patch: operation({ summary: 'Change a tenant', status: '200', body: 'UpdateTenant' }),
      delete: operation({
        summary: 'Delete a tenant and all its data on this cluster',
        status: '204',
        parameters: [parameter('confirm', 'query')],
      }),
    },
    '/v1/tenants/{id}/keys': {
      ...job,
      get: operation({ summary: 'Show the keys of a tenant', status: '200' }),
    },
    '/v1/tenants/{id}/keys/rotate': {
      ...job,
      post: operation({ summary: 'Replace keys', status: '200', body: 'RotateKeys' }),
    },
    '/v1/tenants/{id}/migrations': {
      ...job,
      get: operation({ summary: 'List applied migrations', status: '200' }),
      post: operation({
        summary: 'Apply migrations as a job',
        status: '202',
        body: 'Migrations',
        makesJob: true,
      }),
    },
    '/v1/tenants/{id}/adopt': {
      ...job,
      post: operation({
        summary: 'Make a tenant of a database that is there already, as a job',
        status: '202',
        body: 'Adopt',
        makesJob: true,
      }),
    },
    '/v1/tenants/{id}/adopt/preflight': {
      ...job,
      post: operation({
        summary:
          'Tell what stands in the way of making a tenant of a database, and what is worth knowing of it',
        status: '200',
        body: 'AdoptPreflight',
      }),
    },
    '/v1/tenants/{id}/eject': {
      ...job,
      post: operation({
        summary: 'Move a tenant to a database of its own, as a job',
        status: '202',
        body: 'Eject',
        makesJob: true,
      }),
    },
    '/v1/tenants/{id}/eject/preflight': {
      ...job,
      post: operation({
        summary: 'Tell what stands in the way of a move, and what will be different after it',
        status: '200',
        body: 'EjectPreflight',
      }),
    },
    '/v1/tenants/{id}/eject/flip-back': {
      ...job,
      post: operation({
        summary: 'Go back to the old copy of a tenant that was moved away, as a job',
        status: '202',
        body: 'FlipBack',
        makesJob: true,
      }),
    },
    '/v1/tenants/{id}/eject/delete-old-copy': {
      ...job,
      post: operation({
        summary: 'Delete the old copy of a tenant that was moved away before its time, as a job',
        status: '202',
        body: 'DeleteOldCopy',
        makesJob: true,
      }),
    },
    '/v1/tenants/{id}/repatriate': {
      ...job,
      post: operation({
        summary: 'Bring a tenant that was moved away back, with its rows, as a job',
        status: '202',
        body: 'Repatriate',
        makesJob: true,
      }),
    },
    '/v1/tenants/{id}/repatriate/preflight': {
      ...job,
      post: operation({
        summary: 'Tell what stands in the way of a return, and what will be different after it',
        status: '200',
        body: 'RepatriatePreflight',
      }),
    },
    '/v1/tenants/{id}/extensions': {
      ...job,
      get: operation({
        summary: 'The catalogue, and how each extension stands with this tenant',
        status: '200',
      }),
      post: operation({
        summary: 'Have an extension, or bring it to another version, as a job',
        status: '202',
        body: 'Extension',
        makesJob: true,
      }),
    },
    '/v1/tenants/{id}/extensions/{name}': {
      parameters: [id, parameter('name', 'path')],
      delete: operation({
        summary: 'Take an extension away, as a job',
        status: '202',
        body: 'WithdrawExtension',
        makesJob: true,
      }),
    },
    '/v1/extensions': {
      get: operation({
        summary: 'The catalogue of extensions, and what serves instead of others',
        status: '200',
      }),
      post: operation({
        summary: 'Bring the files of an extension into the running server, as a job',
        status: '202',
        body: 'BringExtension',
        makesJob: true,
      }),
    },
    '/v1/extensions/collect': {
      post: operation({
        summary: 'Delete files of extensions that no database uses, as a job',
        status: '202',
        body: 'ClusterExtensions',
        makesJob: true,
      }),
    },
    '/v1/extensions/rejudge': {
      post: operation({
        summary: 'Judge again what was brought into the server, as a job',
        status: '202',
        body: 'ClusterExtensions',
        makesJob: true,
      }),
    },
    '/v1/tenants/{id}/schema/reload': {
      ...job,
      post: operation({ summary: 'Have every gateway read the schemas again', status: '204' }),
    },
    '/v1/tenants/{id}/export': {
      ...job,
      post: operation({
        summary: 'Write a tenant into one archive, as a job',
        status: '202',
        body: 'Export',
        makesJob: true,
      }),
    },
    '/v1/tenants/{id}/digest': {
      ...job,
      post: operation({
        summary: 'Tell what a tenant holds, as hashes, as a job',
        status: '202',
        body: 'Digest',
        makesJob: true,
      }),
    },
    '/v1/tenants/{id}/move': {
      ...job,
      post: operation({
        summary: 'Note that a tenant is to move to another installation, or find that again',
        status: '201',
        body: 'Move',
      }),
      get: operation({ summary: 'Show how far that has come', status: '200' }),
      patch: operation({ summary: 'Keep notes with it', status: '200', body: 'MoveNotes' }),
      delete: operation({ summary: 'Give it up: the tenant is here as it was', status: '204' }),
    },
    '/v1/tenants/{id}/move/freeze': {
      ...job,
      post: operation({
        summary: 'Have writes wait, or have that last',
        status: '200',
        body: 'Freeze',
      }),
    },
    '/v1/tenants/{id}/move/unfreeze': {
      ...job,
      post: operation({ summary: 'Let writes go on here', status: '200' }),
    },
    '/v1/tenants/{id}/move/forward': {
      ...job,
      post: operation({
        summary: 'From here on the tenant is there: forward its requests',
        status: '200',
        body: 'Forward',
      }),
    },
    '/v1/tenants/{id}/forward': {
      ...job,
      delete: operation({
        summary: 'End that requests are forwarded',
        status: '204',
        parameters: queryParameters(EndForwardQuery),
      }),
    },
    '/v1/installation': {
      get: operation({ summary: 'What another installation has to know of this one', status: '200' }),
    },
    '/v1/uploads': { post: operation({ summary: 'Begin an upload', status: '201' }) },
    '/v1/uploads/{id}': {
      ...job,
      get: operation({ summary: 'Show how many bytes of an upload are there', status: '200' }),
      put: operation({ summary: 'Add bytes to an upload (Content-Range)', status: '200' }),
      delete: operation({ summary: 'Give an upload up', status: '204' }),
    },
    '/v1/hydrate': {
      post: operation({
        summary: 'Make a tenant out of an uploaded archive, as a job',
        status: '202',
        body: 'Hydrate',
        makesJob: true,
      }),
    },
    '/v1/jobs/{id}/archive': {
      ...job,
      get: operation({ summary: 'Download the archive that an export has made', status: '200' }),
      delete: operation({ summary: 'Delete that archive', status: '204' }),
    },
    '/v1/jobs': {
      get: operation({
        summary: 'List jobs, the newest first',
        status: '200',
        parameters: queryParameters(ListJobsQuery),
      }),
    },
    '/v1/jobs/{id}': { ...job, get: operation({ summary: 'Show a job', status: '200' }) },
    '/v1/jobs/{id}/cancel': { ...job, post: operation({ summary: 'Cancel a job', status: '202' }) },
    '/v1/jobs/{id}/events': {
      ...job,
      get: operation({
        summary: 'Follow a job (server-sent events, replay by Last-Event-ID)',
        status: '200',
      }),
    },
    '/v1/jobs/{id}/log': {
      ...job,
      get: operation({
        summary: 'Read the log of a job; as text/plain, or followed as text/event-stream',
        status: '200',
        parameters: queryParameters(JobLogQuery),
      }),
    },
    '/live': { get: operation({ summary: 'The process runs', status: '200', isPublic: true }) },
    '/ready': { get: operation({ summary: 'Requests can be served', status: '200', isPublic: true }) },
    '/metrics': { get: operation({ summary: 'Metrics for Prometheus', status: '200' }) },
    '/openapi.json': { get: operation({ summary: 'This document', status: '200', isPublic: true }) },
  };
}

function operation({ summary, status, body, parameters = [], isPublic, makesJob = false }: Operation): Json {
  const all = makesJob ? [...parameters, IDEMPOTENCY_KEY] : parameters;
  return {
    summary,
    ...(all.length === 0 ? {} : { parameters: all }),
    ...(isPublic === true ? { security: [] } : {}),
    ...(body === undefined ? {} : { requestBody: { content: jsonContent(body) } }),
    responses: {
      [status]: {
        description: summary,
        ...(makesJob ? { content: { 'application/json': { schema: JOB_ANSWER } } } : {}),
      },
      default: { description: 'What went wrong', content: jsonContent('Error') },
    },
  };
}

const JOB_ANSWER: Json = { type: 'object', properties: { job: { $ref: '#/components/schemas/Job' } } };

const IDEMPOTENCY_KEY: Json = {
  name: 'Idempotency-Key',
  in: 'header',
  description: 'Requests with the same key and body make one job; another body under the key is 422',
  schema: { type: 'string', maxLength: 255 },
};

function jsonContent(schema: string): Json {
  return { 'application/json': { schema: { $ref: `#/components/schemas/${schema}` } } };
}

function parameter(name: string, place: 'path' | 'query'): Json {
  return { name, in: place, required: true, schema: { type: 'string' } };
}

function queryParameters(schema: z.ZodObject): readonly Json[] {
  const { properties = {}, required = [] } = z.toJSONSchema(schema, { io: 'input' });
  return Object.entries(properties).map(([name, property]) => ({
    name,
    in: 'query',
    required: required.includes(name),
    schema: property,
  }));
}
