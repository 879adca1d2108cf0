import type { MediaType } from '../api-request/media-type.ts';
import { mediaTypeToText, NDJSON_TYPE } from '../api-request/media-type.ts';
import { GatewayError } from '../errors/gateway-error.ts';
import type { PostgrestSettings } from '../registry/tenant.ts';
import type { MediaHandler, Relation, Routine, SchemaCache } from '../schema-cache/schema-cache.ts';
import type { BodyHandler } from './action-plan.ts';

export interface MediaContext {
  readonly cache: SchemaCache;
  readonly settings: PostgrestSettings;
  /** Relation whose rows are answered, if any. */
  readonly relation: Relation | undefined;
  readonly routine: Routine | undefined;
  /** Handlers of one relation apply only to its whole rows (M8). */
  readonly isDefaultSelect: boolean;
  /** The answer is a list of rows that could be sent one by one. */
  readonly canStream?: boolean | undefined;
}

export interface NegotiatedMedia {
  readonly body: BodyHandler;
  readonly explain: Extract<MediaType, { kind: 'plan' }> | undefined;
}

/**
 * Chooses the first acceptable media type that has a handler (M9).
 *
 * @throws {GatewayError} PGRST107 when none has
 */
export function negotiateMedia(accept: readonly MediaType[], context: MediaContext): NegotiatedMedia {
  for (const media of accept) {
    if (media.kind === 'plan') {
      if (!context.settings.dbPlanEnabled) continue;
      const body = findHandler(media.for, context);
      if (body !== undefined) return { body, explain: media };
      continue;
    }
    const body = findHandler(media, context);
    if (body !== undefined) return { body, explain: undefined };
  }
  // Last of all, so that no request which PostgREST answers is answered otherwise: by a handler of the tenant's, or by JSON.
  if (context.canStream === true && accept.some(isNdjson)) {
    return { body: { kind: 'builtin', media: { kind: 'ndjson' } }, explain: undefined };
  }
  throw notAvailable(accept);
}

export function notAvailable(accept: readonly MediaType[]): GatewayError {
  return new GatewayError('PGRST107', {
    message: `None of these media types are available: ${accept.map(mediaTypeToText).join(', ')}`,
  });
}

function isNdjson(media: MediaType): boolean {
  return media.kind === 'other' && media.name.split(';', 1)[0]!.toLowerCase() === NDJSON_TYPE;
}

const ANY_TYPE = '*/*';

function findHandler(media: MediaType, context: MediaContext): BodyHandler | undefined {
  // Hardly any database has handlers of its own, and the type's text is only needed to look for one.
  if (context.cache.mediaHandlers.length === 0 && context.routine === undefined) return builtin(media);
  const name = media.kind === 'any' ? ANY_TYPE : mediaTypeToText(media);
  return routineHandler(name, media, context) ?? aggregateHandler(name, media, context) ?? builtin(media);
}

/** A routine that returns the media type's domain makes the body itself. */
function routineHandler(name: string, media: MediaType, context: MediaContext): BodyHandler | undefined {
  if (isVendored(media) || !context.isDefaultSelect) return undefined;
  const returns = context.routine?.returns;
  if (returns?.kind !== 'scalar' || returns.mediaType === undefined) return undefined;
  if (returns.mediaType === name || returns.mediaType === ANY_TYPE) return { kind: 'routine', media };
  return undefined;
}

function aggregateHandler(name: string, media: MediaType, context: MediaContext): BodyHandler | undefined {
  if (isVendored(media)) return undefined;
  const { mediaHandlers } = context.cache;
  if (mediaHandlers.length === 0) return undefined;
  const handler =
    mediaHandlers.find((h) => isForRelation(h, context) && h.mediaType === ANY_TYPE) ??
    mediaHandlers.find((h) => isForRelation(h, context) && h.mediaType === name) ??
    mediaHandlers.find((h) => h.relation === undefined && h.mediaType === name);
  return handler === undefined ? undefined : { kind: 'aggregate', media, handler };
}

/** PostgREST's own types mean the same in every database. */
function isVendored(media: MediaType): boolean {
  return media.kind === 'object' || media.kind === 'array';
}

function isForRelation(handler: MediaHandler, context: MediaContext): boolean {
  const { relation } = context;
  return (
    context.isDefaultSelect &&
    relation !== undefined &&
    handler.relation?.name === relation.name &&
    handler.relation.schema === relation.schema
  );
}

function builtin(media: MediaType): BodyHandler | undefined {
  switch (media.kind) {
    case 'any':
      return { kind: 'builtin', media: { kind: 'json' } };
    case 'json':
    case 'csv':
    case 'geojson':
    case 'object':
    case 'array':
      return { kind: 'builtin', media };
    default:
      return undefined;
  }
}
