import { parseJsonPath } from './json-path.ts';
import { parseLegacyRolePath } from './legacy-role-path.ts';

/** The role a token names, or `undefined` when it names none. */
export type RoleClaim = (claims: Readonly<Record<string, unknown>>) => string | undefined;

/**
 * Parses `jwt-role-claim-key`: a JSONPath (`$.role`), of which the first node counts, or the older path (`.role`). A value
 * that is no text is taken as its JSON.
 *
 * @throws {SyntaxError}
 */
export function parseRoleClaim(key: string): RoleClaim {
  const path = key.trimStart().startsWith('$') ? firstOf(parseJsonPath(key)) : parseLegacyRolePath(key);
  return (claims) => {
    const value = path(claims);
    if (value === undefined) return undefined;
    return typeof value === 'string' ? value : JSON.stringify(value);
  };
}

function firstOf(path: (root: unknown) => readonly unknown[]): (claims: unknown) => unknown {
  return (claims) => path(claims)[0];
}
