import { type MediaType, mediaTypeToText } from '../api-request/media-type.ts';
import type { BodyHandler } from '../plan/action-plan.ts';
import type { RowsAction } from './response-input.ts';

const JSON_CONTENT_TYPE = 'application/json; charset=utf-8';
const ANY_TYPE = '*/*';
const OCTET_STREAM = 'application/octet-stream';

/** Types without a handler of ours that PostgREST nevertheless knows to be text. */
const TEXT_TYPES: ReadonlySet<string> = new Set(['text/plain', 'text/xml']);

/** Value of `Content-Type` for a media type; custom types (M8) get no charset, as the gateway cannot know it. */
export function contentType(media: MediaType): string {
  switch (media.kind) {
    case 'json':
    case 'any':
      return JSON_CONTENT_TYPE;
    case 'array':
      return media.nullsStripped ? `${mediaTypeToText(media)}; charset=utf-8` : JSON_CONTENT_TYPE;
    case 'other':
      return TEXT_TYPES.has(media.name) ? `${media.name}; charset=utf-8` : media.name;
    default:
      return `${mediaTypeToText(media)}; charset=utf-8`;
  }
}

/** `Content-Type` of a plan's body. A handler of any type says nothing of what it makes, so its bytes are `octet-stream`. */
export function bodyContentType(plan: RowsAction): string {
  return isAnyHandler(plan.body, plan) ? OCTET_STREAM : contentType(plan.body.media);
}

function isAnyHandler(body: BodyHandler, plan: RowsAction): boolean {
  switch (body.kind) {
    case 'builtin':
      return false;
    case 'aggregate':
      return body.handler.mediaType === ANY_TYPE;
    case 'routine': {
      const returns = plan.kind === 'call' ? plan.routine.returns : undefined;
      return returns?.kind === 'scalar' && returns.mediaType === ANY_TYPE;
    }
    default:
      return body satisfies never;
  }
}
