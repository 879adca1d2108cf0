import { addAbortSignal, Readable } from 'node:stream';
import { Agent, request } from 'undici';
import { admitHost, guardedLookup } from '../../gateway/platform/guarded-lookup.ts';
import type { NetworkPolicy } from '../../gateway/platform/network-policy.ts';
import { BackendError } from './backend-error.ts';
import type { QdrantPlace } from './backends.ts';
import { canonicalJson, type ExactJson, listOf, memberOf, parseExact } from './exact-json.ts';

const CONNECT_TIMEOUT_MS = 5_000;
/** The server answers when a snapshot is made or taken in, which it needs minutes for. */
const ANSWER_TIMEOUT_MS = 30 * 60_000;
const IDLE_TIMEOUT_MS = 120_000;
/** Points of a page at most, and of the first one. */
const PAGE_POINTS = 100;
const FIRST_PAGE_POINTS = 8;
/** JSON of a page, about: each number of a vector takes several times its text in memory, and vectors of 4096 numbers are some 50 kB each. */
const PAGE_BYTES = 256 * 1024;
/** Of an answer that is read into memory. */
const MAX_ANSWER_BYTES = 256 * 1024 * 1024;

export interface Snapshot {
  readonly name: string;
  readonly size: number | undefined;
  /** SHA-256 of the file, where the server says it. */
  readonly sha256: string | undefined;
}

export interface SnapshotUpload {
  readonly collection: string;
  readonly size: number;
  readonly sha256: string;
  readonly content: AsyncIterable<Uint8Array>;
}

interface Call {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  readonly path: string;
  readonly signal: AbortSignal;
  /** JSON. */
  readonly body?: string;
}

/** A Qdrant server by its REST API. Every failure that it tells is a `BackendError`. */
export class QdrantClient {
  readonly #place: QdrantPlace;
  readonly #agent: Agent;

  private constructor(place: QdrantPlace, agent: Agent) {
    this.#place = place;
    this.#agent = agent;
  }

  /** Connects to nothing yet. @throws {RefusedAddressError} */
  static async open(place: QdrantPlace, policy: NetworkPolicy): Promise<QdrantClient> {
    await admitHost(policy, place.url);
    return new QdrantClient(
      place,
      new Agent({
        connect: { lookup: guardedLookup(policy), timeout: CONNECT_TIMEOUT_MS },
        headersTimeout: ANSWER_TIMEOUT_MS,
        bodyTimeout: IDLE_TIMEOUT_MS,
      }),
    );
  }

  /** Version of the server, `1.15.3`. @throws {BackendError} when it is not a Qdrant */
  async version(signal: AbortSignal): Promise<string> {
    const about = await this.#json({ method: 'GET', path: '/', signal });
    const version = memberOf(about, 'version');
    if (typeof version === 'string') return version;
    throw new BackendError('the server is not a Qdrant', { status: 400 });
  }

  /** Servers that make up one cluster; 1 where it stands alone. */
  async peers(signal: AbortSignal): Promise<number> {
    const cluster = memberOf(await this.#json({ method: 'GET', path: '/cluster', signal }), 'result');
    if (memberOf(cluster, 'status') !== 'enabled') return 1;
    const peers = memberOf(cluster, 'peers');
    return Math.max(1, typeof peers === 'object' && peers !== null ? Object.keys(peers).length : 1);
  }

  /** Names of all collections of the server. */
  async collections(signal: AbortSignal): Promise<readonly string[]> {
    const answer = await this.#json({ method: 'GET', path: '/collections', signal });
    return namesIn(memberOf(memberOf(answer, 'result'), 'collections'), 'name');
  }

  /** Settings and indexes of a collection, as far as they do not change with its points. */
  async configuration(collection: string, signal: AbortSignal): Promise<ExactJson> {
    const answer = await this.#json({ method: 'GET', path: pathOf(collection), signal });
    const result = memberOf(answer, 'result');
    const indexes = memberOf(result, 'payload_schema');
    const schema = Object.entries(typeof indexes === 'object' && indexes !== null ? indexes : {}).map(
      ([field, index]: [string, ExactJson]) => [
        field,
        { data_type: memberOf(index, 'data_type'), params: memberOf(index, 'params') },
      ],
    );
    return { config: memberOf(result, 'config'), payload_schema: Object.fromEntries(schema) };
  }

  /** Other names of a collection. */
  async aliases(collection: string, signal: AbortSignal): Promise<readonly string[]> {
    const answer = await this.#json({ method: 'GET', path: `${pathOf(collection)}/aliases`, signal });
    return namesIn(memberOf(memberOf(answer, 'result'), 'aliases'), 'alias_name').toSorted();
  }

  /** Other names of all collections. */
  async allAliases(signal: AbortSignal): Promise<readonly string[]> {
    const answer = await this.#json({ method: 'GET', path: '/aliases', signal });
    return namesIn(memberOf(memberOf(answer, 'result'), 'aliases'), 'alias_name');
  }

  async createAliases(collection: string, aliases: readonly string[], signal: AbortSignal): Promise<void> {
    const actions = aliases.map((alias_name) => ({
      create_alias: { collection_name: collection, alias_name },
    }));
    const body = JSON.stringify({ actions });
    await this.#json({ method: 'POST', path: '/collections/aliases', signal, body });
  }

  /** All points with payloads and vectors, a page at a time. */
  async *points(collection: string, signal: AbortSignal): AsyncGenerator<readonly ExactJson[]> {
    const path = `${pathOf(collection)}/points/scroll`;
    let offset: ExactJson = null;
    let limit = FIRST_PAGE_POINTS;
    do {
      const from = offset === null ? '' : `,"offset":${canonicalJson(offset)}`;
      const body = `{"limit":${limit},"with_payload":true,"with_vector":true${from}}`;
      const text = await this.#text({ method: 'POST', path, signal, body });
      const page = memberOf(exactJsonOf(text), 'result');
      yield listOf(memberOf(page, 'points'));
      limit = Math.min(Math.max(Math.floor((limit * PAGE_BYTES) / text.length), 1), PAGE_POINTS);
      offset = memberOf(page, 'next_page_offset');
    } while (offset !== null);
  }

  async createSnapshot(collection: string, signal: AbortSignal): Promise<Snapshot> {
    const path = `${pathOf(collection)}/snapshots?wait=true`;
    const result = memberOf(await this.#json({ method: 'POST', path, signal }), 'result');
    const name = memberOf(result, 'name');
    if (typeof name !== 'string') throw new Error('the vector server named no snapshot');
    const size = Number(canonicalJson(memberOf(result, 'size')));
    const checksum = memberOf(result, 'checksum');
    return {
      name,
      size: size > 0 ? size : undefined,
      sha256: typeof checksum === 'string' ? checksum : undefined,
    };
  }

  /** The bytes of a snapshot. */
  async download(collection: string, snapshot: string, signal: AbortSignal): Promise<Readable> {
    const path = `${pathOf(collection)}/snapshots/${encodeURIComponent(snapshot)}`;
    const { body } = await this.#send({ method: 'GET', path, signal });
    return addAbortSignal(signal, body);
  }

  /** Does nothing when it is gone already. */
  async deleteSnapshot(collection: string, snapshot: string, signal: AbortSignal): Promise<void> {
    const path = `${pathOf(collection)}/snapshots/${encodeURIComponent(snapshot)}?wait=true`;
    await forgive404(this.#json({ method: 'DELETE', path, signal }));
  }

  /** Makes a collection out of a snapshot; the server compares the digest. */
  async upload(upload: SnapshotUpload, signal: AbortSignal): Promise<void> {
    const { collection, size, sha256, content } = upload;
    const boundary = `cascata-${sha256.slice(0, 32)}`;
    const head = Buffer.from(
      `--${boundary}\r\nContent-Disposition: form-data; name="snapshot"; filename="collection.snapshot"\r\n` +
        'Content-Type: application/octet-stream\r\n\r\n',
    );
    const tail = Buffer.from(`\r\n--${boundary}--\r\n`);
    async function* form(): AsyncGenerator<Uint8Array> {
      yield head;
      yield* content;
      yield tail;
    }
    const query = `priority=snapshot&wait=true&checksum=${sha256}`;
    const { body } = await this.#request({
      method: 'POST',
      path: `${pathOf(collection)}/snapshots/upload?${query}`,
      signal,
      stream: Readable.from(form(), { objectMode: false }),
      headers: {
        'content-type': `multipart/form-data; boundary=${boundary}`,
        'content-length': String(head.length + size + tail.length),
      },
    });
    await textOf(body);
  }

  /** Does nothing when it is gone already. */
  async deleteCollection(collection: string, signal: AbortSignal): Promise<void> {
    await forgive404(this.#json({ method: 'DELETE', path: pathOf(collection), signal }));
  }

  close(): Promise<void> {
    return this.#agent.destroy();
  }

  async #json(call: Call): Promise<ExactJson> {
    return exactJsonOf(await this.#text(call));
  }

  async #text(call: Call): Promise<string> {
    const { body } = await this.#send(call);
    return textOf(body);
  }

  #send({ body, ...call }: Call) {
    return this.#request({
      ...call,
      ...(body === undefined ? {} : { stream: body, headers: { 'content-type': 'application/json' } }),
    });
  }

  async #request(call: {
    readonly method: Call['method'];
    readonly path: string;
    readonly signal: AbortSignal;
    readonly stream?: string | Readable;
    readonly headers?: Readonly<Record<string, string>>;
  }) {
    const { method, path, signal, stream, headers = {} } = call;
    const { url, apiKey } = this.#place;
    const answer = await request(url + path, {
      method,
      signal,
      dispatcher: this.#agent,
      headers: { ...headers, ...(apiKey === undefined ? {} : { 'api-key': apiKey.reveal() }) },
      ...(stream === undefined ? {} : { body: stream }),
    });
    if (answer.statusCode >= 200 && answer.statusCode < 300) return answer;
    const said = await textOf(answer.body).catch(() => '');
    throw new BackendError(`the vector server answered ${answer.statusCode}${reasonIn(said)}`, {
      status: answer.statusCode,
    });
  }
}

function pathOf(collection: string): string {
  return `/collections/${encodeURIComponent(collection)}`;
}

function namesIn(list: ExactJson, key: string): string[] {
  return listOf(list)
    .map((item) => memberOf(item, key))
    .filter((name) => typeof name === 'string');
}

async function textOf(body: AsyncIterable<Uint8Array>): Promise<string> {
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const piece of body) {
    size += piece.length;
    if (size > MAX_ANSWER_BYTES)
      throw new BackendError('the vector server answered too much', { status: 400 });
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString('utf8');
}

function exactJsonOf(text: string): ExactJson {
  try {
    return parseExact(text);
  } catch (cause) {
    throw new BackendError('the vector server did not answer with JSON', { status: 400, cause });
  }
}

/** `{"status":{"error":"…"}}` */
function reasonIn(text: string): string {
  try {
    const reason = memberOf(memberOf(parseExact(text), 'status'), 'error');
    return typeof reason === 'string' ? `: ${reason.slice(0, 300)}` : '';
  } catch {
    return '';
  }
}

async function forgive404(work: Promise<unknown>): Promise<void> {
  await work.catch((error: unknown) => {
    if (!(error instanceof BackendError) || error.status !== 404) throw error;
  });
}
