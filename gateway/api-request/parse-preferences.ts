import type { Preferences } from './preferences.ts';
import { readInteger } from './read-integer.ts';

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

const NONE: Preferences = {
  resolution: undefined,
  return: undefined,
  missing: undefined,
  count: undefined,
  tx: undefined,
  handling: undefined,
  timezone: undefined,
  maxAffected: undefined,
  invalid: [],
};

/** What clients say with nearly every write. */
const MINIMAL: Preferences = { ...NONE, return: 'minimal' };
const REPRESENTATION: Preferences = { ...NONE, return: 'representation' };

/**
 * Parses a `Prefer` header (§1.6 of the behaviour list): comma-separated, of each kind the first counts.
 *
 * `tx` has effect only when the server allows it, but is never invalid. A `max-affected` that is no number is neither.
 *
 * @param allowsTxOverride `db-tx-end` is one of the `*-allow-override` values
 */
export function parsePreferences(header: string | undefined, allowsTxOverride: boolean): Preferences {
  if (header === undefined || header === '') return NONE;
  if (header === 'return=minimal') return MINIMAL;
  if (header === 'return=representation') return REPRESENTATION;
  const found: Mutable<Preferences> = { ...NONE };
  const invalid: string[] = [];
  let maxAffected: string | undefined;
  for (const item of header.split(',')) {
    const preference = item.trim();
    switch (preference) {
      case 'resolution=merge-duplicates':
        found.resolution ??= 'merge-duplicates';
        break;
      case 'resolution=ignore-duplicates':
        found.resolution ??= 'ignore-duplicates';
        break;
      case 'return=representation':
        found.return ??= 'representation';
        break;
      case 'return=headers-only':
        found.return ??= 'headers-only';
        break;
      case 'return=minimal':
        found.return ??= 'minimal';
        break;
      case 'missing=default':
        found.missing ??= 'default';
        break;
      case 'missing=null':
        found.missing ??= 'null';
        break;
      case 'count=exact':
        found.count ??= 'exact';
        break;
      case 'count=planned':
        found.count ??= 'planned';
        break;
      case 'count=estimated':
        found.count ??= 'estimated';
        break;
      case 'tx=commit':
        if (allowsTxOverride) found.tx ??= 'commit';
        break;
      case 'tx=rollback':
        if (allowsTxOverride) found.tx ??= 'rollback';
        break;
      case 'handling=strict':
        found.handling ??= 'strict';
        break;
      case 'handling=lenient':
        found.handling ??= 'lenient';
        break;
      case 'update=by-key':
        found.update = 'by-key';
        break;
      default:
        if (preference.startsWith('timezone=')) found.timezone ??= preference.slice('timezone='.length);
        else if (preference.startsWith('max-affected='))
          maxAffected ??= preference.slice('max-affected='.length);
        else invalid.push(preference);
    }
  }
  if (maxAffected !== undefined) found.maxAffected = readInteger(maxAffected);
  found.invalid = invalid;
  return found;
}
