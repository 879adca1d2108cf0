import { PauseInput, ResumeInput } from '../pgbouncer-routes.ts';
import { type ApiRoom, jsonSchema, operation } from './operation.ts';

/** What says how this process is. */
export function processApi(): ApiRoom {
  return {
    schemas: { Pause: jsonSchema(PauseInput), Resume: jsonSchema(ResumeInput) },
    paths: {
      '/live': { get: operation({ summary: 'The process runs', status: '200', isPublic: true }) },
      '/ready': { get: operation({ summary: 'Requests can be served', status: '200', isPublic: true }) },
      '/metrics': { get: operation({ summary: 'Metrics for Prometheus', status: '200' }) },
      '/v1/pgbouncer/pause': {
        post: operation({ summary: 'Have requests wait for a few seconds', status: '200', body: 'Pause' }),
      },
      '/v1/pgbouncer/resume': {
        post: operation({ summary: 'Let requests that wait go on', status: '200', body: 'Resume' }),
      },
      '/openapi.json': { get: operation({ summary: 'This document', status: '200', isPublic: true }) },
    },
  };
}
