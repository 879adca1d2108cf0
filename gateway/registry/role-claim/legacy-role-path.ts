import { TextScanner } from './text-scanner.ts';

type Step = (value: unknown) => unknown;

const MATCHES: Readonly<Record<string, (text: string, wanted: string) => boolean>> = {
  '==^': (text, wanted) => text.endsWith(wanted),
  '==': (text, wanted) => text === wanted,
  '!=': (text, wanted) => text !== wanted,
  '^==': (text, wanted) => text.startsWith(wanted),
  '*==': (text, wanted) => text.includes(wanted),
};

/**
 * Parses the older form of `jwt-role-claim-key`: `.a."b c"[0]`, and at its end a search for the first text of an array,
 * `[?(@ == "x")]` with the operators `==`, `!=`, `^==` (starts with), `==^` (ends with), `*==` (contains).
 *
 * @returns what picks the value out of the claims; it gives `undefined` where there is none
 * @example parseLegacyRolePath('.realm.roles[?(@ ^== "app_")]')({ realm: { roles: ['x', 'app_user'] } }) // 'app_user'
 * @throws {SyntaxError}
 */
export function parseLegacyRolePath(text: string): (claims: unknown) => unknown {
  const scanner = new TextScanner(text.trim());
  const steps: Step[] = [];
  do steps.push(parseStep(scanner));
  while (!scanner.isAtEnd);
  return (claims) => steps.reduce((value, step) => step(value), claims);
}

function parseStep(scanner: TextScanner): Step {
  if (scanner.take('.')) {
    const name = scanner.match(/[\p{L}\p{N}_$@]+/uy) ?? plainQuoted(scanner);
    return (value) =>
      typeof value === 'object' && value !== null && !Array.isArray(value) && Object.hasOwn(value, name)
        ? (value as Record<string, unknown>)[name]
        : undefined;
  }
  if (scanner.take('[?(')) return parseSearch(scanner);
  scanner.expect('[');
  const index = Number(scanner.match(/\d+/y) ?? scanner.fail('expected an index'));
  scanner.expect(']');
  return (value) => (Array.isArray(value) ? value[index] : undefined);
}

function parseSearch(scanner: TextScanner): Step {
  scanner.expect('@');
  scanner.skipSpace();
  const operator = scanner.match(/==\^|==|!=|\^==|\*==/y) ?? scanner.fail('expected ==, !=, ^==, ==^ or *==');
  scanner.skipSpace();
  const wanted = plainQuoted(scanner);
  scanner.expect(')]');
  if (!scanner.isAtEnd) scanner.fail('a search has to be the last step');
  const matches = MATCHES[operator]!;
  return (value) =>
    Array.isArray(value)
      ? value.find((item) => typeof item === 'string' && matches(item, wanted))
      : undefined;
}

/** Here a backslash is a character like any other. */
function plainQuoted(scanner: TextScanner): string {
  return (scanner.match(/"[^"]*"/y) ?? scanner.fail('expected a name')).slice(1, -1);
}
