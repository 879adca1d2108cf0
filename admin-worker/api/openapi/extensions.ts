import { BringExtensionInput, ClusterExtensionsInput } from '../cluster-extension-routes.ts';
import { ExtensionInput, WithdrawExtensionInput } from '../extension-routes.ts';
import { type ApiRoom, jsonSchema, OF_ID, operation, parameter } from './operation.ts';

/** Extensions, of a tenant and of the cluster. */
export function extensionsApi(): ApiRoom {
  return {
    schemas: {
      Extension: jsonSchema(ExtensionInput),
      ClusterExtensions: jsonSchema(ClusterExtensionsInput),
      BringExtension: jsonSchema(BringExtensionInput),
      WithdrawExtension: jsonSchema(WithdrawExtensionInput),
    },
    paths: {
      '/v1/tenants/{id}/extensions': {
        ...OF_ID,
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
        parameters: [...OF_ID.parameters, parameter('name', 'path')],
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
    },
  };
}
