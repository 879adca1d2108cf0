import type { TenantNaming } from '../registry/tenant.ts';
import { type DatabaseError, isRaisedByUser } from './database-error.ts';

/** Roles every tenant has; they are recognised anywhere in a message, others only after the word "role". */
const WELL_KNOWN_ROLES = 'anon|authenticated|service_role|owner';

/** A name does not begin or end here if one of these is next to it: `bob@acme.com`, `my_acme_anon`, `x.acme.y`, `acme-2`. */
const NOT_BEFORE = '(?<![\\w$@.\\-])';
const NOT_AFTER = '(?![\\w$@\\-])';

/** SQLSTATE classes whose DETAIL shows rows and values, which are not ours to change. */
const CLASSES_WITH_DATA_IN_DETAIL = /^2[123]/;

export interface ErrorTexts {
  readonly message: string;
  readonly detail: string | undefined;
  readonly hint: string | undefined;
}

/**
 * The texts of a PostgreSQL error with the tenant's own names as its clients know them: schema `acme` → `public`, `acme_api` →
 * `api`, role `acme_anon` → `anon`. Only names where PostgreSQL writes names are changed: not values, not rows in DETAIL, and
 * nothing that a tenant raised itself.
 *
 * @example // naming { schemaPrefix: 'acme', rolePrefix: 'acme' }
 * // relation "acme.films" does not exist → relation "public.films" does not exist
 */
export function logicalErrorTexts(error: DatabaseError, naming: TenantNaming | undefined): ErrorTexts {
  const texts = { message: error.message, detail: error.detail, hint: error.hint };
  if (naming === undefined || isRaisedByUser(error)) return texts;
  const rename = (text: string): string => logicalNames(text, naming);
  const hasData = CLASSES_WITH_DATA_IN_DETAIL.test(error.code);
  return {
    message: beforeValue(texts.message, rename),
    detail: hasData || texts.detail === undefined ? texts.detail : rename(texts.detail),
    hint: texts.hint === undefined ? undefined : rename(texts.hint),
  };
}

/**
 * Turns the physical names of a tenant's schemas and roles in a text of PostgreSQL's into logical ones. The text must not
 * hold values.
 */
export function logicalNames(text: string, naming: TenantNaming): string {
  const { schemaPrefix, rolePrefix } = naming;
  let result = text;
  if (rolePrefix !== undefined && result.includes(rolePrefix)) result = logicalRoles(result, rolePrefix);
  if (schemaPrefix !== undefined && result.includes(schemaPrefix))
    result = logicalSchemas(result, schemaPrefix);
  return result;
}

function logicalRoles(text: string, prefix: string): string {
  const name = escapeRegExp(prefix);
  return text
    .replace(new RegExp(`(\\brole "?)${name}_(?=\\w)`, 'gi'), '$1')
    .replace(new RegExp(`${NOT_BEFORE}${name}_(${WELL_KNOWN_ROLES})${NOT_AFTER}(?!\\.)`, 'g'), '$1');
}

function logicalSchemas(text: string, prefix: string): string {
  const name = escapeRegExp(prefix);
  const schema = `${name}(?:_([\\w$]+))?`;
  const rename = (_match: string, before: string, rest: string | undefined, after: string): string =>
    `${before}${rest ?? 'public'}${after}`;
  return text
    .replace(new RegExp(`(\\bschema "?)${schema}()${NOT_AFTER}`, 'gi'), rename)
    .replace(new RegExp(`${NOT_BEFORE}(")${schema}("\\.(?=[\\w$"]))`, 'g'), rename)
    .replace(new RegExp(`${NOT_BEFORE}()${schema}(\\.(?=[\\p{L}_"]))`, 'gu'), rename);
}

/** PostgreSQL puts the value at fault at the end: `invalid input syntax for type integer: "acme.x"`. */
function beforeValue(message: string, rename: (text: string) => string): string {
  const end = message.search(/: ["«»„“”'「『]/);
  return end === -1 ? rename(message) : rename(message.slice(0, end)) + message.slice(end);
}

function escapeRegExp(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&');
}
