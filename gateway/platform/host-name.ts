const MAX_HOST_LENGTH = 253;
const NAME = /^[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?)*$/;
const BRACKETED = /^\[[0-9a-f:.]+\]$/;
const PORT = /^\d{1,5}$/;

/**
 * The host name in a `Host` header: lower case, without port and without the root's dot. IPv6 literals keep their brackets.
 *
 * @returns `undefined` for what is no host name
 * @example parseHostName('Acme.Example.COM.:8000') // 'acme.example.com'
 */
export function parseHostName(header: string): string | undefined {
  const text = header.toLowerCase();
  const end = text.startsWith('[') ? text.indexOf(']') + 1 : endOfName(text);
  const port = text.slice(end);
  if (port !== '' && !(port.startsWith(':') && PORT.test(port.slice(1)) && Number(port.slice(1)) <= 65_535)) {
    return undefined;
  }
  const host = text.slice(0, text[end - 1] === '.' ? end - 1 : end);
  if (host.length > MAX_HOST_LENGTH) return undefined;
  return NAME.test(host) || BRACKETED.test(host) ? host : undefined;
}

function endOfName(text: string): number {
  const colon = text.indexOf(':');
  return colon === -1 ? text.length : colon;
}
