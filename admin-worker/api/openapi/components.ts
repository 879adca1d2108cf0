import { JOB_KINDS } from '../../jobs/job-list.ts';
import { JOB_STATES } from '../../jobs/job-record.ts';
import { type Json, jsonSchema } from './operation.ts';

/** `JobPayload.apply-migrations` and so on: what jobs of each kind are given, for whoever reads a queue. */
export function payloads(): Json {
  return Object.fromEntries(
    JOB_KINDS.map(({ name, summary, payload }) => [
      `JobPayload.${name}`,
      { description: summary, ...jsonSchema(payload) },
    ]),
  );
}

const TIME: Json = { type: ['string', 'null'], format: 'date-time' };
const TEXT_OR_NULL: Json = { type: ['string', 'null'] };

export const JOB: Json = {
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

export const ERROR: Json = {
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
