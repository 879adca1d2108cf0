import { LRUCache } from 'lru-cache';
import type { Dispatcher, Pool } from 'undici';
import { GatewayError } from '../errors/gateway-error.ts';
import { isBodilessStatus } from '../errors/header-text.ts';
import type { HttpResponse } from '../errors/http-response.ts';
import type { HttpRequest } from '../http/http-request.ts';
import type { RequestTrace } from '../http/request-trace.ts';
import type { NetworkPolicy } from '../platform/network-policy.ts';
import type { Observation, Observe } from '../platform/observation.ts';
import { STAGE } from '../platform/observation.ts';
import type { Forward, Tenant, TenantId } from '../registry/tenant.ts';
import { forwardError, wasNotSent } from './forward-error.ts';
import { isCircling, requestHeaders, responseHeaders } from './forward-headers.ts';
import { openForwardPool } from './forward-pool.ts';
import { ForwardStream } from './forward-stream.ts';

export interface ForwarderOptions {
  readonly observe: Observe;
  readonly networkPolicy: NetworkPolicy;
  readonly isTrustedProxy: (address: string | undefined) => boolean;
  readonly maxBodyBytes: number;
  /** Of one tenant at once; each has a connection, and none waits for one. */
  readonly maxRequests: number;
  /** For the other installation to begin its answer, and between two pieces of it. */
  readonly timeoutMs: number;
}

type Outcome = Extract<Observation, { kind: 'request-forwarded' }>['outcome'];

/** Other installations that connections are kept to. */
const MAX_POOLS = 100;
/** A read whose connection breaks is sent again so often: the other gateway may have been started anew. */
const READ_ATTEMPTS = 3;
/** A body of these would mean nothing. */
const BODILESS_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);

/** Sends requests of tenants that have moved on to where they are, and their answers back; neither is held in memory. */
export class Forwarder {
  readonly #options: ForwarderOptions;
  readonly #pools = new LRUCache<string, Pool>({
    max: MAX_POOLS,
    // What is under way there ends first. It rejects only when destroyed meanwhile.
    dispose: (pool) => void pool.close().catch(() => undefined),
  });
  readonly #underWay = new Map<TenantId, number>();

  constructor(options: ForwarderOptions) {
    this.#options = options;
  }

  /** Requests under way. For metrics. */
  get count(): number {
    return [...this.#underWay.values()].reduce((sum, count) => sum + count, 0);
  }

  /**
   * Answers a request of a `forwarded` tenant.
   *
   * @throws {GatewayError} `GW205`–`GW208`, `GW301` when too many are under way, `GW302`, `GW902`
   */
  async forward(http: HttpRequest, tenant: Tenant, trace: RequestTrace): Promise<HttpResponse> {
    const { forward, id } = tenant;
    if (forward === undefined) throw new GatewayError('GW901');
    trace.tenant = tenant;
    trace.upstream = `forward ${forward.url}`;
    if (isCircling(http)) throw this.#told('loop', new GatewayError('GW208'));
    this.#enter(id);
    let isLeft = false;
    const leave = (outcome: Outcome): void => {
      if (isLeft) return;
      isLeft = true;
      this.#leave(id);
      this.#options.observe({ kind: 'request-forwarded', outcome });
    };
    try {
      const answer = await this.#ask(http, forward, trace);
      trace.lap(STAGE.transaction);
      return await this.#respond(answer, { http, trace, leave });
    } catch (thrown) {
      const { error, outcome } = forwardError(thrown, http.aborted);
      leave(outcome);
      if (outcome === 'unreachable' || outcome === 'broken') {
        const { upstream } = trace;
        this.#options.observe({ kind: 'upstream-failed', tenantId: id, upstream, cause: thrown });
      }
      throw error;
    }
  }

  async close(): Promise<void> {
    const pools = [...this.#pools.values()];
    await Promise.all(pools.map((pool) => pool.destroy()));
  }

  async #ask(
    http: HttpRequest,
    forward: Forward,
    { requestId }: RequestTrace,
  ): Promise<Dispatcher.ResponseData> {
    const { isTrustedProxy, maxBodyBytes } = this.#options;
    const { method, path, rawQuery } = http;
    const body = BODILESS_METHODS.has(method) ? undefined : await http.passBody(maxBodyBytes);
    const isTrusted = isTrustedProxy(http.remoteAddress);
    const pool = this.#poolFor(forward);
    for (let attempt = 1; ; attempt++) {
      try {
        return await pool.request({
          method: method as Dispatcher.HttpMethod,
          path: rawQuery === '' ? path : `${path}?${rawQuery}`,
          headers: requestHeaders(http, { isTrusted, hasBody: body !== undefined, requestId }),
          body: body ?? null,
          signal: http.signal,
          // One for all: the connector knows the name to ask for, and connections serve whichever host.
          servername: 'forward',
        } as Dispatcher.RequestOptions);
      } catch (error) {
        const isSafe = method === 'GET' || method === 'HEAD' || (wasNotSent(error) && !isStream(body));
        if (!isSafe || attempt === READ_ATTEMPTS || http.aborted || !isRepeatable(error)) throw error;
      }
    }
  }

  async #respond(
    { statusCode, statusText, headers, body }: Dispatcher.ResponseData,
    context: {
      readonly http: HttpRequest;
      readonly trace: RequestTrace;
      readonly leave: (outcome: Outcome) => void;
    },
  ): Promise<HttpResponse> {
    const { http, trace, leave } = context;
    const head = {
      status: statusCode,
      ...(statusText === '' ? {} : { statusText }),
      headers: responseHeaders(headers),
      body: undefined,
    };
    const isEmpty =
      http.method === 'HEAD' || isBodilessStatus(statusCode) || headers['content-length'] === '0';
    if (isEmpty) {
      await body.dump();
      leave('answered');
      return head;
    }
    trace.isOpen = true;
    const stream = new ForwardStream(body, (end) => {
      leave(end === 'whole' ? 'answered' : end);
      if (end === 'broken') trace.errorCode = 'GW206';
      if (end === 'left') trace.errorCode = 'GW902';
      trace.lap(STAGE.response);
      trace.finish(statusCode, this.#options.observe);
    });
    return { ...head, stream };
  }

  #poolFor(forward: Forward): Pool {
    const key = `${forward.url} ${forward.caCertificate ?? ''}`;
    let pool = this.#pools.get(key);
    if (pool === undefined) {
      const { networkPolicy, timeoutMs } = this.#options;
      pool = openForwardPool(forward, { networkPolicy, timeoutMs });
      this.#pools.set(key, pool);
    }
    return pool;
  }

  #enter(id: TenantId): void {
    const count = this.#underWay.get(id) ?? 0;
    const { maxRequests } = this.#options;
    if (count >= maxRequests) {
      const error = new GatewayError('GW301', {
        message: `Too many requests: of this project ${maxRequests} may be forwarded at once`,
        headers: { 'Retry-After': '1' },
      });
      throw this.#told('refused', error);
    }
    this.#underWay.set(id, count + 1);
  }

  #leave(id: TenantId): void {
    const count = (this.#underWay.get(id) ?? 0) - 1;
    if (count > 0) this.#underWay.set(id, count);
    else this.#underWay.delete(id);
  }

  #told(outcome: Outcome, error: GatewayError): GatewayError {
    this.#options.observe({ kind: 'request-forwarded', outcome });
    return error;
  }
}

function isStream(body: unknown): boolean {
  return body !== undefined && !(body instanceof Uint8Array);
}

/** Neither what took its whole time nor what we refuse ourselves gets better by being repeated. */
function isRepeatable(error: unknown): boolean {
  return !(error instanceof GatewayError) && forwardError(error, false).outcome !== 'timeout';
}
