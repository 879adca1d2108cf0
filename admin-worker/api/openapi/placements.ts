import { AdoptPreflightInput } from '../../adoption/adopt-input.ts';
import { AdoptInput } from '../adopt-routes.ts';
import {
  DeleteOldCopyInput,
  EjectInput,
  FlipBackInput,
  PreflightInput,
  RepatriateInput,
  RepatriatePreflightInput,
} from '../eject-routes.ts';
import { type ApiRoom, jsonSchema, OF_ID, operation } from './operation.ts';

/** Where a tenant’s database is: adopting one, moving a tenant to one of its own, and back. */
export function placementsApi(): ApiRoom {
  return {
    schemas: {
      Adopt: jsonSchema(AdoptInput),
      AdoptPreflight: jsonSchema(AdoptPreflightInput),
      Eject: jsonSchema(EjectInput),
      EjectPreflight: jsonSchema(PreflightInput),
      FlipBack: jsonSchema(FlipBackInput),
      Repatriate: jsonSchema(RepatriateInput),
      RepatriatePreflight: jsonSchema(RepatriatePreflightInput),
      DeleteOldCopy: jsonSchema(DeleteOldCopyInput),
    },
    paths: {
      '/v1/tenants/{id}/adopt': {
        ...OF_ID,
        post: operation({
          summary: 'Make a tenant of a database that is there already, as a job',
          status: '202',
          body: 'Adopt',
          makesJob: true,
        }),
      },
      '/v1/tenants/{id}/adopt/preflight': {
        ...OF_ID,
        post: operation({
          summary:
            'Tell what stands in the way of making a tenant of a database, and what is worth knowing of it',
          status: '200',
          body: 'AdoptPreflight',
        }),
      },
      '/v1/tenants/{id}/eject': {
        ...OF_ID,
        post: operation({
          summary: 'Move a tenant to a database of its own, as a job',
          status: '202',
          body: 'Eject',
          makesJob: true,
        }),
      },
      '/v1/tenants/{id}/eject/preflight': {
        ...OF_ID,
        post: operation({
          summary: 'Tell what stands in the way of a move, and what will be different after it',
          status: '200',
          body: 'EjectPreflight',
        }),
      },
      '/v1/tenants/{id}/eject/flip-back': {
        ...OF_ID,
        post: operation({
          summary: 'Go back to the old copy of a tenant that was moved away, as a job',
          status: '202',
          body: 'FlipBack',
          makesJob: true,
        }),
      },
      '/v1/tenants/{id}/eject/delete-old-copy': {
        ...OF_ID,
        post: operation({
          summary: 'Delete the old copy of a tenant that was moved away before its time, as a job',
          status: '202',
          body: 'DeleteOldCopy',
          makesJob: true,
        }),
      },
      '/v1/tenants/{id}/repatriate': {
        ...OF_ID,
        post: operation({
          summary: 'Bring a tenant that was moved away back, with its rows, as a job',
          status: '202',
          body: 'Repatriate',
          makesJob: true,
        }),
      },
      '/v1/tenants/{id}/repatriate/preflight': {
        ...OF_ID,
        post: operation({
          summary: 'Tell what stands in the way of a return, and what will be different after it',
          status: '200',
          body: 'RepatriatePreflight',
        }),
      },
    },
  };
}
