import { request } from 'node:http';

/**
 * `fetch` for `http://<tenant>.localhost:<port>`. Browsers take any `*.localhost` for this machine; Node asks the resolver, which
 * knows such names on some machines only. Plain HTTP, for tests with real clients.
 */
export async function localhostFetch(input: string | URL | Request, init?: RequestInit): Promise<Response> {
  const asked = new Request(input, init);
  const url = new URL(asked.url);
  const headers: Record<string, string> = { host: url.host };
  for (const [name, value] of asked.headers) headers[name] = value;
  const body = Buffer.from(await asked.arrayBuffer());
  if (body.length > 0) headers['content-length'] = String(body.length);
  const { promise, resolve, reject } = Promise.withResolvers<Response>();
  const outgoing = request(
    {
      host: '127.0.0.1',
      port: url.port,
      path: url.pathname + url.search,
      method: asked.method,
      headers,
      signal: asked.signal,
    },
    (incoming) => {
      const chunks: Buffer[] = [];
      incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
      incoming.on('error', reject);
      incoming.on('end', () => {
        const status = incoming.statusCode ?? 500;
        const given = new Headers();
        for (let i = 0; i + 1 < incoming.rawHeaders.length; i += 2) {
          given.append(incoming.rawHeaders[i]!, incoming.rawHeaders[i + 1]!);
        }
        const isEmpty = status === 204 || status === 304;
        resolve(new Response(isEmpty ? null : Buffer.concat(chunks), { status, headers: given }));
      });
    },
  );
  outgoing.on('error', reject);
  outgoing.end(body.length > 0 ? body : undefined);
  return await promise;
}
