/** Where an API is, in Swagger's terms. */
export interface ApiPlace {
  /** With its port, always. */
  readonly host: string;
  readonly basePath: string;
  readonly schemes: readonly ['http' | 'https'];
}

/**
 * The place that the document names: `openapi-server-proxy-uri` when it is a valid one (http or https, no user, no query), else
 * where the client reached the API.
 */
export function apiPlace(proxyUri: string | undefined, baseUrl: string): ApiPlace {
  const proxy = proxyUri === undefined ? null : URL.parse(proxyUri);
  const url = proxy !== null && isProxyUrl(proxy) ? proxy : new URL(baseUrl);
  const scheme = url.protocol === 'http:' ? 'http' : 'https';
  const port = url.port === '' ? (scheme === 'http' ? '80' : '443') : url.port;
  return { host: `${url.hostname}:${port}`, basePath: url.pathname, schemes: [scheme] };
}

function isProxyUrl({ protocol, hostname, search, username, password }: URL): boolean {
  const isHttp = protocol === 'http:' || protocol === 'https:';
  return isHttp && hostname !== '' && search === '' && username === '' && password === '';
}
