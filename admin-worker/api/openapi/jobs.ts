import { JobLogQuery, ListJobsQuery } from '../job-routes.ts';
import { type ApiRoom, OF_ID, operation, queryParameters } from './operation.ts';

/** Jobs, whatever they are about. */
export function jobsApi(): ApiRoom {
  return {
    schemas: {},
    paths: {
      '/v1/jobs': {
        get: operation({
          summary: 'List jobs, the newest first',
          status: '200',
          parameters: queryParameters(ListJobsQuery),
        }),
      },
      '/v1/jobs/{id}': { ...OF_ID, get: operation({ summary: 'Show a job', status: '200' }) },
      '/v1/jobs/{id}/cancel': { ...OF_ID, post: operation({ summary: 'Cancel a job', status: '202' }) },
      '/v1/jobs/{id}/events': {
        ...OF_ID,
        get: operation({
          summary: 'Follow a job (server-sent events, replay by Last-Event-ID)',
          status: '200',
        }),
      },
      '/v1/jobs/{id}/log': {
        ...OF_ID,
        get: operation({
          summary: 'Read the log of a job; as text/plain, or followed as text/event-stream',
          status: '200',
          parameters: queryParameters(JobLogQuery),
        }),
      },
    },
  };
}
