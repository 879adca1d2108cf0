import { performance } from 'node:perf_hooks';
import type { AuthResult } from '../auth/auth-result.ts';
import { NO_STAGES, type Observe, STAGE } from '../platform/observation.ts';
import type { Tenant } from '../registry/tenant.ts';

/** Stages that `Server-Timing` names, as PostgREST does (POSTGREST.md H6). */
const PUBLIC_STAGES = ['jwt', 'parse', 'plan', 'transaction', 'response'] as const;

/** What became known of a request on its way, for the log, the metrics and the error's response. */
export class RequestTrace {
  readonly requestId: string;
  readonly method: string;
  /** Pattern, never the path with its values. */
  route: string;
  tenant: Tenant | undefined;
  auth: AuthResult | undefined;
  upstream: string | undefined;
  rows: number | undefined;
  errorCode: string | undefined;
  /** The response goes on after its head: `finish` is called by who sends its body. */
  isOpen = false;
  /** Numbers only, which an array holds without an object for each. */
  readonly #stages: number[] = NO_STAGES.slice();
  readonly #startedAt = performance.now();
  #stageStartedAt = this.#startedAt;

  constructor(request: { readonly requestId: string; readonly method: string; readonly route: string }) {
    this.requestId = request.requestId;
    this.method = request.method;
    this.route = request.route;
  }

  /** Ends a stage: the time since the last call, or since the beginning, is its. @param stage one of `STAGE` */
  lap(stage: number): void {
    const now = performance.now();
    this.#stages[stage] = now - this.#stageStartedAt;
    this.#stageStartedAt = now;
  }

  /** Value of a `Server-Timing` header. */
  serverTiming(): string {
    return PUBLIC_STAGES.map((stage) => ({ stage, ms: this.#stages[STAGE[stage]]! }))
      .filter(({ ms }) => !Number.isNaN(ms))
      .map(({ stage, ms }) => `${stage};dur=${ms.toFixed(1)}`)
      .join(', ');
  }

  /** Tells of the request's end: its one line in the log. */
  finish(status: number, observe: Observe): void {
    observe({
      kind: 'request-finished',
      requestId: this.requestId,
      tenantId: this.tenant?.id,
      method: this.method,
      route: this.route,
      status,
      errorCode: this.errorCode,
      upstream: this.upstream,
      rows: this.rows,
      durationMs: performance.now() - this.#startedAt,
      stages: this.#stages,
    });
  }
}
