const INTEGER = /^-?\s*(?:\d+|0x[0-9a-f]+|0o[0-7]+)$/i;

/**
 * Reads an integer as PostgREST does: blanks and parentheses around it are allowed, so are `0x` and `0o`, a `+` is not.
 * Values beyond ±(2^53 - 1) are cut to that. `undefined` for any other text.
 */
export function readInteger(text: string): number | undefined {
  let digits = text.trim();
  while (digits.startsWith('(') && digits.endsWith(')')) digits = digits.slice(1, -1).trim();
  if (!INTEGER.test(digits)) return undefined;
  const negated = digits.startsWith('-');
  const size = Math.min(Number(negated ? digits.slice(1).trim() : digits), Number.MAX_SAFE_INTEGER);
  return negated && size !== 0 ? -size : size;
}
