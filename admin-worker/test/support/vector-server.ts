import { createHash, randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Point {
  /** As text: ids have 64 bits. */
  readonly id: string;
  readonly payload: unknown;
  readonly vector: unknown;
}

interface Collection {
  readonly config: unknown;
  readonly points: Map<string, Point>;
  readonly snapshots: Map<string, Buffer>;
}

/** A stand-in for a Qdrant server. */
export interface VectorServer {
  readonly url: string;
  readonly apiKey: string;
  readonly collections: Map<string, Collection>;
  /** Alias → collection. */
  readonly aliases: Map<string, string>;
  /** Uploads that fail from now on are answered with this status. */
  failUploadsWith: number | undefined;
  /** Called after each snapshot, before its answer. */
  onSnapshot: ((collection: string) => void) | undefined;
  version: string;
  add(collection: string, points: readonly Point[]): void;
  stop(): Promise<void>;
}

/**
 * A STAND-IN for Qdrant, whose program is not at hand here: the part of its REST API that exports and hydrations use, as its documentation has it
 * (version 1.15): paths, parameters, `api-key`, `{"result": …, "status": "ok"}` and errors, scrolling by `next_page_offset`, snapshots as files whose bytes differ
 * each time, `checksum` of an upload, aliases. It keeps everything in memory, and a snapshot is JSON of its own instead of Qdrant's tar.
 */
export async function startVectorServer(): Promise<VectorServer> {
  const state: VectorServer = {
    url: '',
    apiKey: randomBytes(12).toString('hex'),
    collections: new Map(),
    aliases: new Map(),
    failUploadsWith: undefined,
    onSnapshot: undefined,
    version: '1.15.3',
    add(name, points) {
      const collection = state.collections.get(name) ?? newCollection();
      for (const point of points) collection.points.set(point.id, point);
      state.collections.set(name, collection);
    },
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  const server = createServer((request, response) => {
    void answer(state, request)
      .catch((error: unknown) => failure(500, String(error)))
      .then((given) => send(response, given));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return Object.assign(state, { url: `http://127.0.0.1:${port}` });
}

function newCollection(): Collection {
  const config = { params: { vectors: { size: 3, distance: 'Cosine' } }, hnsw_config: { m: 16 } };
  return { config, points: new Map(), snapshots: new Map() };
}

interface Given {
  readonly status: number;
  readonly body: Buffer | string;
}

async function answer(state: VectorServer, request: IncomingMessage): Promise<Given> {
  const body = await bytesOf(request);
  if (request.headers['api-key'] !== state.apiKey) {
    return { status: 401, body: 'Must provide an API key or an Authorization bearer token' };
  }
  const url = new URL(request.url ?? '/', 'http://qdrant');
  const parts = url.pathname.slice(1).split('/').map(decodeURIComponent);
  const { method } = request;
  const [root, name = '', what, which = ''] = parts;
  if (url.pathname === '/') {
    return {
      status: 200,
      body: JSON.stringify({ title: 'qdrant - vector search engine', version: state.version }),
    };
  }
  if (url.pathname === '/cluster') return ok('{"status":"disabled"}');
  if (url.pathname === '/aliases') return ok(aliasesText([...state.aliases]));
  if (root !== 'collections') return failure(404, 'Not found');
  if (name === '') {
    return ok(JSON.stringify({ collections: [...state.collections.keys()].map((one) => ({ name: one })) }));
  }
  if (name === 'aliases' && method === 'POST') return createAliases(state, body);
  if (what === 'snapshots' && which === 'upload' && method === 'POST') {
    return recover(state, { name, body, checksum: url.searchParams.get('checksum') });
  }
  const collection = state.collections.get(name);
  if (collection === undefined) return failure(404, `Not found: Collection \`${name}\` doesn't exist!`);
  if (what === undefined && method === 'DELETE') {
    for (const [alias, of] of state.aliases) if (of === name) state.aliases.delete(alias);
    return ok(String(state.collections.delete(name)));
  }
  if (what === undefined) return ok(describe(collection));
  if (what === 'aliases') return ok(aliasesText([...state.aliases].filter(([, of]) => of === name)));
  if (what === 'points' && which === 'scroll') return ok(scroll(collection, body.toString()));
  if (what === 'snapshots') return snapshots(state, { name, collection, method, which });
  return failure(404, 'Not found');
}

function aliasesText(aliases: readonly (readonly [string, string])[]): string {
  const list = aliases.map(([alias_name, collection_name]) => ({ alias_name, collection_name }));
  return JSON.stringify({ aliases: list });
}

function createAliases(state: VectorServer, body: Buffer): Given {
  const { actions } = JSON.parse(body.toString()) as {
    actions: { create_alias: { collection_name: string; alias_name: string } }[];
  };
  for (const { create_alias: made } of actions) {
    if (!state.collections.has(made.collection_name)) return failure(404, 'Not found: Collection');
    state.aliases.set(made.alias_name, made.collection_name);
  }
  return ok('true');
}

/** Counts and states change by themselves; settings do not. */
function describe({ config, points }: Collection): string {
  const payload_schema = { city: { data_type: 'keyword', points: points.size } };
  return JSON.stringify({ status: 'green', points_count: points.size, config, payload_schema });
}

/** Numbers are written by hand: ids are beyond what JavaScript counts to. */
function pointText({ id, payload, vector }: Point): string {
  const idText = /^\d+$/.test(id) ? id : JSON.stringify(id);
  return `{"id":${idText},"payload":${JSON.stringify(payload)},"vector":${JSON.stringify(vector)}}`;
}

function scroll({ points }: Collection, body: string): string {
  const limit = Number(/"limit":(\d+)/.exec(body)?.[1] ?? 10);
  const offset = /"offset":(?:(\d+)|"([^"]*)")/.exec(body);
  const ids = [...points.keys()].toSorted((a, b) => a.length - b.length || (a < b ? -1 : 1));
  const from = offset === null ? 0 : ids.indexOf(offset[1] ?? offset[2] ?? '');
  const page = ids.slice(from, from + limit).map((id) => pointText(points.get(id)!));
  const next = ids[from + limit];
  const nextText = next === undefined ? 'null' : /^\d+$/.test(next) ? next : JSON.stringify(next);
  return `{"points":[${page.join(',')}],"next_page_offset":${nextText}}`;
}

function snapshots(
  state: VectorServer,
  call: { name: string; collection: Collection; method: string | undefined; which: string },
): Given {
  const { name, collection, method, which } = call;
  if (method === 'POST') {
    const made = `${name}-${randomBytes(8).toString('hex')}.snapshot`;
    const content = { made, config: collection.config, points: [...collection.points.values()] };
    const bytes = Buffer.from(JSON.stringify(content));
    collection.snapshots.set(made, bytes);
    const checksum = createHash('sha256').update(bytes).digest('hex');
    state.onSnapshot?.(name);
    return ok(
      JSON.stringify({ name: made, creation_time: '2026-11-22T08:00:00', size: bytes.length, checksum }),
    );
  }
  const bytes = collection.snapshots.get(which);
  if (bytes === undefined) return failure(404, `Not found: Snapshot ${which}`);
  if (method === 'GET') return { status: 200, body: bytes };
  return ok(String(collection.snapshots.delete(which)));
}

function recover(
  state: VectorServer,
  { name, body, checksum }: { name: string; body: Buffer; checksum: string | null },
): Given {
  if (state.failUploadsWith !== undefined) return failure(state.failUploadsWith, 'Wrong input: told to fail');
  const start = body.indexOf('\r\n\r\n') + 4;
  const end = body.lastIndexOf('\r\n--');
  const isForm = body.subarray(0, start).includes('name="snapshot"');
  if (!isForm) return failure(400, 'Wrong input: Field `snapshot` is required');
  const bytes = body.subarray(start, end);
  if (checksum !== null && createHash('sha256').update(bytes).digest('hex') !== checksum) {
    return failure(400, 'Wrong input: Snapshot checksum mismatch');
  }
  const { config, points } = JSON.parse(bytes.toString()) as { config: unknown; points: Point[] };
  const restored = new Map(points.map((point) => [point.id, point]));
  state.collections.set(name, { config, points: restored, snapshots: new Map() });
  return ok('true');
}

function ok(result: string): Given {
  return { status: 200, body: `{"result":${result},"status":"ok","time":0.001}` };
}

function failure(status: number, error: string): Given {
  return { status, body: JSON.stringify({ status: { error }, time: 0.001 }) };
}

async function bytesOf(request: IncomingMessage): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of request) pieces.push(piece);
  return Buffer.concat(pieces);
}

function send(response: ServerResponse, { status, body }: Given): void {
  response.writeHead(status, {
    'content-type': typeof body === 'string' ? 'application/json' : 'application/octet-stream',
    'content-length': Buffer.byteLength(body),
  });
  response.end(body);
}
