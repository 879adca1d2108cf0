import { CALL_RESULTS } from './call-results.ts';
import { CALLS } from './calls.ts';
import type { ConformanceCase } from './case.ts';
import { CONTEXT } from './context.ts';
import { DELETES_AND_PUTS } from './deletes-and-puts.ts';
import { DETAILS } from './details.ts';
import { EMBEDS } from './embeds.ts';
import { FILTERS } from './filters.ts';
import { FORMATS } from './formats.ts';
import { HEADERS } from './headers.ts';
import { INSERT_PAYLOADS } from './insert-payloads.ts';
import { INSERT_RESULTS } from './insert-results.ts';
import { INSERTS } from './inserts.ts';
import { JSON_AND_NAMES } from './json-and-names.ts';
import { LOGIC_AND_EMBED_FILTERS } from './logic-and-embed-filters.ts';
import { MEDIA_HANDLERS } from './media-handlers.ts';
import { MORE_CALLS } from './more-calls.ts';
import { MORE_EMBEDS } from './more-embeds.ts';
import { MORE_FILTERS } from './more-filters.ts';
import { MORE_PAGES } from './more-pages.ts';
import { MORE_WRITES } from './more-writes.ts';
import { PAGING } from './paging.ts';
import { PRECEDENCE } from './precedence.ts';
import { PREFERENCES } from './preferences.ts';
import { RESOURCES } from './resources.ts';
import { ROOT } from './root.ts';
import { SELECT } from './select.ts';
import { SPREADS } from './spreads.ts';
import { SQLSTATES } from './sqlstates.ts';
import { TOKENS } from './tokens.ts';
import { UPDATES } from './updates.ts';
import { UPSERTS } from './upserts.ts';
import { VIOLATIONS } from './violations.ts';

/** Every case, by the group it is reported under. */
export const CASE_GROUPS: ReadonlyMap<string, readonly ConformanceCase[]> = new Map([
  ['resources', RESOURCES],
  ['paging', PAGING],
  ['formats', FORMATS],
  ['media handlers', MEDIA_HANDLERS],
  ['filters', FILTERS],
  ['json and names', JSON_AND_NAMES],
  ['logic and embed filters', LOGIC_AND_EMBED_FILTERS],
  ['select', SELECT],
  ['embeds', EMBEDS],
  ['spreads', SPREADS],
  ['inserts', INSERTS],
  ['insert payloads', INSERT_PAYLOADS],
  ['insert results', INSERT_RESULTS],
  ['violations', VIOLATIONS],
  ['upserts', UPSERTS],
  ['updates', UPDATES],
  ['deletes and puts', DELETES_AND_PUTS],
  ['preferences', PREFERENCES],
  ['calls', CALLS],
  ['call results', CALL_RESULTS],
  ['headers', HEADERS],
  ['tokens', TOKENS],
  ['context', CONTEXT],
  ['root', ROOT],
  ['details', DETAILS],
  ['more resources and filters', MORE_FILTERS],
  ['more embeds', MORE_EMBEDS],
  ['more pages, formats and headers', MORE_PAGES],
  ['more writes', MORE_WRITES],
  ['more calls', MORE_CALLS],
  ['SQLSTATEs', SQLSTATES],
  ['precedence of errors', PRECEDENCE],
]);
