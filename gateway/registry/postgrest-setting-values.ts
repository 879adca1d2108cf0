import { parseRoleClaim } from './role-claim/role-claim.ts';
/** What JSON may give for a setting. */
export type SettingValue = string | number | boolean | null;

/** The text of a value; empty or `null` is "unset", as in PostgREST's configuration file. */
export function parseText(value: SettingValue): string | undefined {
  const text = value === null ? '' : String(value).trim();
  return text === '' ? undefined : text;
}

/** A comma-separated list without empty parts. */
export function parseList(value: SettingValue): readonly string[] {
  return String(value ?? '')
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
}

/** @throws {RangeError} when the value is neither true nor false */
export function parseBoolean(value: SettingValue): boolean {
  switch (String(value).trim().toLowerCase()) {
    case 'true':
    case '1':
      return true;
    case 'false':
    case '0':
      return false;
    default:
      throw new RangeError(`must be true or false, not ${show(value)}`);
  }
}

/** A whole number from 0, or `undefined` when unset. @throws {RangeError} */
export function parseCount(value: SettingValue): number | undefined {
  const text = parseText(value);
  if (text === undefined) return undefined;
  const count = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isNaN(count)) throw new RangeError(`must be a whole number of at least 0, not ${show(value)}`);
  return count;
}

/** @throws {RangeError} when the value is none of those allowed */
export function parseOneOf<const T extends string>(value: SettingValue, allowed: readonly T[]): T {
  const found = allowed.find((candidate) => candidate === String(value).trim());
  if (found === undefined) throw new RangeError(`must be one of ${allowed.join(', ')}, not ${show(value)}`);
  return found;
}

/** An absolute http or https URL, or `undefined` when unset. @throws {RangeError} */
export function parseUrl(value: SettingValue): string | undefined {
  const text = parseText(value);
  if (text === undefined) return undefined;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:') {
    throw new RangeError(`must be an absolute http or https URL, not ${show(value)}`);
  }
  return text;
}

/** A path to the role among a token's claims, as text: it is parsed again where tokens are verified. @throws {RangeError} */
export function parseRoleClaimKey(value: SettingValue): string {
  const text = parseText(value);
  try {
    if (text !== undefined) parseRoleClaim(text);
  } catch {
    throw badRoleClaimKey(value);
  }
  if (text === undefined) throw badRoleClaimKey(value);
  return text;
}

function badRoleClaimKey(value: SettingValue): RangeError {
  return new RangeError(
    `must be a path like $.role or ."https://example.com/claims".role, not ${show(value)}`,
  );
}

function show(value: SettingValue): string {
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
