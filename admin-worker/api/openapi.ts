import { archivesApi } from './openapi/archives.ts';
import { ERROR, JOB, payloads } from './openapi/components.ts';
import { extensionsApi } from './openapi/extensions.ts';
import { jobsApi } from './openapi/jobs.ts';
import { movesApi } from './openapi/moves.ts';
import type { Json } from './openapi/operation.ts';
import { placementsApi } from './openapi/placements.ts';
import { processApi } from './openapi/process.ts';
import { tenantsApi } from './openapi/tenants.ts';

/** The OpenAPI 3.1 description of the admin API, with bodies from the schemas that requests are parsed with. */
export function openapiDocument(): Json {
  const rooms = [tenantsApi, placementsApi, extensionsApi, archivesApi, movesApi, jobsApi, processApi].map(
    (room) => room(),
  );
  return {
    openapi: '3.1.0',
    info: { title: 'Cascata Edge admin API', version: '1' },
    components: {
      securitySchemes: { adminToken: { type: 'http', scheme: 'bearer' } },
      schemas: {
        ...Object.assign({}, ...rooms.map(({ schemas }) => schemas)),
        Job: JOB,
        ...payloads(),
        Error: ERROR,
      },
    },
    security: [{ adminToken: [] }],
    paths: Object.assign({}, ...rooms.map(({ paths }) => paths)),
  };
}
