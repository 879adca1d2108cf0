import { DigestInput } from '../digest-routes.ts';
import { ExportInput } from '../export-routes.ts';
import { HydrateInput } from '../hydrate-routes.ts';
import { type ApiRoom, jsonSchema, OF_ID, operation } from './operation.ts';

/** Tenants as archives, and what they are compared by. */
export function archivesApi(): ApiRoom {
  return {
    schemas: {
      Export: jsonSchema(ExportInput),
      Hydrate: jsonSchema(HydrateInput),
      Digest: jsonSchema(DigestInput),
    },
    paths: {
      '/v1/tenants/{id}/export': {
        ...OF_ID,
        post: operation({
          summary: 'Write a tenant into one archive, as a job',
          status: '202',
          body: 'Export',
          makesJob: true,
        }),
      },
      '/v1/tenants/{id}/digest': {
        ...OF_ID,
        post: operation({
          summary: 'Tell what a tenant holds, as hashes, as a job',
          status: '202',
          body: 'Digest',
          makesJob: true,
        }),
      },
      '/v1/uploads': { post: operation({ summary: 'Begin an upload', status: '201' }) },
      '/v1/uploads/{id}': {
        ...OF_ID,
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
        ...OF_ID,
        get: operation({ summary: 'Download the archive that an export has made', status: '200' }),
        delete: operation({ summary: 'Delete that archive', status: '204' }),
      },
    },
  };
}
