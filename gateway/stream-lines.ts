import { GatewayError } from './errors/gateway-error.ts';
import { isBodilessStatus } from './errors/header-text.ts';
import type { BodyStream, HttpResponse } from './errors/http-response.ts';
import { toGatewayError } from './errors/to-gateway-error.ts';
import type { LineStream } from './execute/stream-transaction.ts';
import type { HttpRequest } from './http/http-request.ts';
import type { RequestTrace } from './http/request-trace.ts';
import { STAGE } from './platform/observation.ts';
import type { TransactionRequest } from './query/transaction-request.ts';
import type { Tenant } from './registry/tenant.ts';
import { respondLines } from './respond/respond-lines.ts';
import type { ResponseInput } from './respond/response-input.ts';
import type { Services } from './services.ts';

/**
 * The stages after planning for a result that is sent row by row (docs/ndjson.md): the transaction runs while the response is being read. What fails before the first row is
 * thrown, what fails later ends the body without its end.
 *
 * @throws as `runTransaction` and `toResponse`
 */
export async function streamLines(
  transaction: TransactionRequest,
  response: Omit<ResponseInput, 'resultSet'>,
  context: {
    readonly tenant: Tenant;
    readonly http: HttpRequest;
    readonly services: Services;
    readonly trace: RequestTrace;
    readonly consistency: string | undefined;
  },
): Promise<HttpResponse> {
  const { plan, query } = response;
  if (plan.kind !== 'read' && plan.kind !== 'call') throw new GatewayError('GW901');
  const { tenant, http, services, trace, consistency } = context;
  const lines = await services.streamTransaction(tenant, transaction, {
    statement: query.main,
    signal: http,
    trace,
    consistency,
  });
  trace.lap(STAGE.transaction);
  try {
    const { row, results } = lines;
    const head = respondLines({ ...response, plan, resultSet: { results } }, row);
    if (response.settings.serverTimingEnabled) head.headers['Server-Timing'] = trace.serverTiming();
    if (!isBodilessStatus(head.status)) {
      trace.isOpen = true;
      return { ...head, stream: new TracedStream(lines, { ...context, status: head.status }) };
    }
    // Nobody wants the rows, but what the transaction does has to happen.
    while ((await lines.read()) !== undefined) trace.rows = lines.rowCount;
    return head;
  } catch (error) {
    lines.cancel();
    throw error;
  }
}

interface StreamContext {
  readonly services: Services;
  readonly trace: RequestTrace;
  readonly status: number;
}

/** The lines, and at their end the request's line in the log. */
class TracedStream implements BodyStream {
  readonly #lines: LineStream;
  readonly #context: StreamContext;
  #isOver = false;

  constructor(lines: LineStream, context: StreamContext) {
    this.#lines = lines;
    this.#context = context;
  }

  async read(): Promise<Uint8Array | undefined> {
    try {
      const chunk = await this.#lines.read();
      if (chunk === undefined) this.#finish(undefined);
      return chunk;
    } catch (error) {
      this.#finish(error);
      throw error;
    }
  }

  onBreak(listener: (cause: Error) => void): void {
    this.#lines.onStop((reason) => {
      this.#finish(reason);
      listener(reason);
    });
  }

  cancel(): void {
    this.#lines.cancel();
    this.#finish(new GatewayError('GW902'));
  }

  #finish(thrown: unknown): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const { services, trace, status } = this.#context;
    trace.rows = this.#lines.rowCount;
    if (thrown !== undefined) {
      const { tenant, auth, requestId } = trace;
      const error = toGatewayError(thrown, {
        isAuthenticated: auth?.isAuthenticated ?? false,
        naming: tenant?.naming,
      });
      trace.errorCode = error.code;
      if (error.code === 'GW901') {
        services.observe({ kind: 'request-failed', requestId, tenantId: tenant?.id, cause: thrown });
      }
    }
    trace.lap(STAGE.response);
    trace.finish(status, services.observe);
  }
}
