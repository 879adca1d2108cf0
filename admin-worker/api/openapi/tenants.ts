import { CreateTenantInput, UpdateTenantInput } from '../../tenants/tenant-input.ts';
import { RotateKeysInput } from '../key-routes.ts';
import { MigrationsInput } from '../migration-routes.ts';
import { ListTenantsQuery } from '../tenant-routes.ts';
import { type ApiRoom, jsonSchema, OF_ID, operation, parameter, queryParameters } from './operation.ts';

/** Tenants, their keys and migrations. */
export function tenantsApi(): ApiRoom {
  return {
    schemas: {
      CreateTenant: jsonSchema(CreateTenantInput),
      UpdateTenant: jsonSchema(UpdateTenantInput),
      RotateKeys: jsonSchema(RotateKeysInput),
      Migrations: jsonSchema(MigrationsInput),
    },
    paths: {
      '/v1/tenants': {
        post: operation({ summary: 'Create a tenant', status: '201', body: 'CreateTenant' }),
        get: operation({
          summary: 'List tenants by id',
          status: '200',
          parameters: queryParameters(ListTenantsQuery),
        }),
      },
      '/v1/tenants/{id}': {
        ...OF_ID,
        get: operation({ summary: 'Show a tenant', status: '200' }),
        patch: operation({ summary: 'Change a tenant', status: '200', body: 'UpdateTenant' }),
        delete: operation({
          summary: 'Delete a tenant and all its data on this cluster',
          status: '204',
          parameters: [parameter('confirm', 'query')],
        }),
      },
      '/v1/tenants/{id}/keys': {
        ...OF_ID,
        get: operation({ summary: 'Show the keys of a tenant', status: '200' }),
      },
      '/v1/tenants/{id}/keys/rotate': {
        ...OF_ID,
        post: operation({ summary: 'Replace keys', status: '200', body: 'RotateKeys' }),
      },
      '/v1/tenants/{id}/migrations': {
        ...OF_ID,
        get: operation({ summary: 'List applied migrations', status: '200' }),
        post: operation({
          summary: 'Apply migrations as a job',
          status: '202',
          body: 'Migrations',
          makesJob: true,
        }),
      },
      '/v1/tenants/{id}/schema/reload': {
        ...OF_ID,
        post: operation({ summary: 'Have every gateway read the schemas again', status: '204' }),
      },
    },
  };
}
