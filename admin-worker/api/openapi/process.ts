import { type ApiRoom, operation } from './operation.ts';

/** What says how this process is. */
export function processApi(): ApiRoom {
  return {
    schemas: {},
    paths: {
      '/live': { get: operation({ summary: 'The process runs', status: '200', isPublic: true }) },
      '/ready': { get: operation({ summary: 'Requests can be served', status: '200', isPublic: true }) },
      '/metrics': { get: operation({ summary: 'Metrics for Prometheus', status: '200' }) },
      '/openapi.json': { get: operation({ summary: 'This document', status: '200', isPublic: true }) },
    },
  };
}
