import { EndForwardQuery, ForwardInput, FreezeInput, MoveInput, MoveNotesInput } from '../move-routes.ts';
import { type ApiRoom, jsonSchema, OF_ID, operation, queryParameters } from './operation.ts';

/** Moves to another installation. */
export function movesApi(): ApiRoom {
  return {
    schemas: {
      Move: jsonSchema(MoveInput),
      MoveNotes: jsonSchema(MoveNotesInput),
      Freeze: jsonSchema(FreezeInput),
      Forward: jsonSchema(ForwardInput),
    },
    paths: {
      '/v1/tenants/{id}/move': {
        ...OF_ID,
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
        ...OF_ID,
        post: operation({
          summary: 'Have writes wait, or have that last',
          status: '200',
          body: 'Freeze',
        }),
      },
      '/v1/tenants/{id}/move/unfreeze': {
        ...OF_ID,
        post: operation({ summary: 'Let writes go on here', status: '200' }),
      },
      '/v1/tenants/{id}/move/forward': {
        ...OF_ID,
        post: operation({
          summary: 'From here on the tenant is there: forward its requests',
          status: '200',
          body: 'Forward',
        }),
      },
      '/v1/tenants/{id}/forward': {
        ...OF_ID,
        delete: operation({
          summary: 'End that requests are forwarded',
          status: '204',
          parameters: queryParameters(EndForwardQuery),
        }),
      },
      '/v1/installation': {
        get: operation({ summary: 'What another installation has to know of this one', status: '200' }),
      },
    },
  };
}
