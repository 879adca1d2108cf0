import { scanFieldName } from './scan-names.ts';
import { parseText, type Scanned, type Scanner } from './scanner.ts';

/**
 * Parses `columns=a,"b c"` (W2) to its distinct names, sorted.
 *
 * @throws {GatewayError} PGRST100
 */
export function parseColumns(value: string): readonly string[] {
  const names = parseText(value, scanNames, `failed to parse columns parameter (${value})`);
  return [...new Set(names)].sort();
}

/**
 * Parses `on_conflict=a,b` (W6), in the order given.
 *
 * @throws {GatewayError} PGRST100
 */
export function parseOnConflict(value: string): readonly string[] {
  return parseText(value, scanNames, `failed to parse on_conflict parameter (${value})`);
}

function scanNames(scanner: Scanner): Scanned<readonly string[]> {
  return scanner.separated(scanFieldName, (s) => s.spacedComma());
}
