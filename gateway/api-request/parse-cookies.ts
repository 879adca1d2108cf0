/** Of a request without a `Cookie` header. */
export const NO_COOKIES: Readonly<Record<string, string>> = {};

/** Parses a `Cookie` header. Values are taken as they are; of a repeated name the last counts. */
export function parseCookies(header: string): Readonly<Record<string, string>> {
  const cookies: [string, string][] = [];
  for (const item of header.split(';')) {
    const equals = item.indexOf('=');
    const name = (equals === -1 ? item : item.slice(0, equals)).replace(/^ +/, '');
    if (name !== '' || equals !== -1) cookies.push([name, equals === -1 ? '' : item.slice(equals + 1)]);
  }
  return Object.fromEntries(cookies);
}
