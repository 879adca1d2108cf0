/** Quoted names, string constants (plain and E''), parameters and percent signs of a statement. */
const TOKEN = /"(?:[^"]|"")*"|\b[eE]'(?:[^'\\]|\\[\s\S]|'')*'|'(?:[^']|'')*'|\$(\d+)|%/g;

/**
 * A statement as a template for PostgreSQL's `format()`: `$2` becomes `%2$L`, so that the server itself puts the second argument
 * there as a quoted literal. What looks like a parameter inside a quoted name or a constant is left alone.
 *
 * @param text without comments and dollar quotes, as our own statements are
 * @example literalTemplate(`SELECT "a$1" FROM t WHERE b LIKE '%' AND c = $1`) // SELECT "a$1" FROM t WHERE b LIKE '%%' AND c = %1$L
 */
export function literalTemplate(text: string): string {
  return text.replace(TOKEN, (token: string, parameter: string | undefined) =>
    parameter === undefined ? token.replaceAll('%', '%%') : `%${parameter}$L`,
  );
}
