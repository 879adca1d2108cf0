/** A call that the proxy may let through, and what it depends on. */
export type EngineCall =
  | { readonly kind: 'allowed' }
  /** Only on the server's container, or one that was made through the proxy. */
  | { readonly kind: 'look'; readonly container: string }
  /** Only on a container that was made through the proxy. */
  | { readonly kind: 'own'; readonly container: string }
  | { readonly kind: 'create' }
  | { readonly kind: 'refused'; readonly problem: string };

const API = /^\/v\d+\.\d+(?=\/)/;
const CONTAINER = /^\/containers\/([A-Za-z0-9][A-Za-z0-9_.-]{0,127})(?:\/([a-z]+))?$/;
const IMAGE = /^\/images\/[a-z0-9][A-Za-z0-9:._/@%-]{0,299}\/json$/;
const DIGEST = /@sha256:[0-9a-f]{64}$/;

const LOOKS: ReadonlySet<string> = new Set(['GET json']);
const OWN: ReadonlySet<string> = new Set(
  'HEAD archive,GET archive,PUT archive,POST start,POST wait,GET logs,DELETE '.split(','),
);

/** What a request asks for; everything that is not listed here is refused. @param target as it was sent, with its query */
export function classifyCall(method: string, target: string): EngineCall {
  const [sent = ''] = target.split('?');
  const url = URL.canParse(target, 'http://engine') ? new URL(target, 'http://engine') : undefined;
  // What is looked at has to be what the engine will see: no dots, no doubled or hidden slashes.
  if (url === undefined || url.pathname !== sent || /\/\/|%(?!40|3A)/i.test(sent))
    return { kind: 'refused', problem: 'its path is not plain' };
  const path = sent.replace(API, '');
  if (method === 'GET' && (path === '/version' || path === '/_ping' || path === '/containers/json'))
    return { kind: 'allowed' };
  // The engine reads `%2F` in a name as a slash, dockerode sends slashes as they are.
  if (method === 'GET' && IMAGE.test(path)) return { kind: 'allowed' };
  if (method === 'POST' && path === '/images/create') return pull(url.searchParams);
  if (method === 'POST' && path === '/containers/create') return { kind: 'create' };
  const [, container, action = ''] = CONTAINER.exec(path) ?? [];
  if (container !== undefined && LOOKS.has(`${method} ${action}`)) return { kind: 'look', container };
  if (container !== undefined && OWN.has(`${method} ${action}`)) return { kind: 'own', container };
  return {
    kind: 'refused',
    problem: `${method} ${path.slice(0, 200)} is not one of the calls that are let through`,
  };
}

function pull(query: URLSearchParams): EngineCall {
  const image = query.get('fromImage') ?? '';
  const tag = query.get('tag') ?? '';
  const isPinned = DIGEST.test(image) || (!image.includes('@') && image !== '' && DIGEST.test(`@${tag}`));
  return isPinned && !query.has('fromSrc')
    ? { kind: 'allowed' }
    : { kind: 'refused', problem: 'images are pulled by their digest alone' };
}
