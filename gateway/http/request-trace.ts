import type { AuthResult } from '../auth/auth-result.ts';
import type { Observe } from '../platform/observation.ts';
import type { Tenant } from '../registry/tenant.ts';

export type Stage = 'tenant' | 'jwt' | 'body' | 'parse' | 'cache' | 'plan' | 'transaction' | 'response';

/** Stages that `Server-Timing` names, as PostgREST does (POSTGREST.md H6). */
const PUBLIC_STAGES: readonly Stage[] = ['jwt', 'parse', 'plan', 'transaction', 'response'];

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
  /** One form for all requests, whatever stages they pass: those that did not take place are `undefined`. */
  readonly stages: Record<Stage, number | undefined> = {
    tenant: undefined,
    jwt: undefined,
    body: undefined,
    parse: undefined,
    cache: undefined,
    plan: undefined,
    transaction: undefined,
    response: undefined,
  };
  readonly #startedAt = performance.now();
  #stageStartedAt = this.#startedAt;

  constructor(request: { readonly requestId: string; readonly method: string; readonly route: string }) {
    this.requestId = request.requestId;
    this.method = request.method;
    this.route = request.route;
  }

  /** Ends a stage: the time since the last call, or since the beginning, is its. */
  lap(stage: Stage): void {
    const now = performance.now();
    this.stages[stage] = now - this.#stageStartedAt;
    this.#stageStartedAt = now;
  }

  /** Value of a `Server-Timing` header. */
  serverTiming(): string {
    return PUBLIC_STAGES.filter((stage) => this.stages[stage] !== undefined)
      .map((stage) => `${stage};dur=${this.stages[stage]!.toFixed(1)}`)
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
      stages: this.stages,
    });
  }
}
