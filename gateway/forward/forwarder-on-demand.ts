import type { HttpResponse } from '../errors/http-response.ts';
import type { HttpRequest } from '../http/http-request.ts';
import type { RequestTrace } from '../http/request-trace.ts';
import type { Tenant } from '../registry/tenant.ts';
import type { Forwarder, ForwarderOptions } from './forwarder.ts';

/**
 * The forwarder, loaded with the first request that needs it: its HTTP client takes half as long to load as all the rest of the gateway, and
 * most installations have no tenant that has moved on.
 */
export class ForwarderOnDemand {
  readonly #options: ForwarderOptions;
  #loading: Promise<Forwarder> | undefined;
  #forwarder: Forwarder | undefined;

  constructor(options: ForwarderOptions) {
    this.#options = options;
  }

  /** As `Forwarder.count`. */
  get count(): number {
    return this.#forwarder?.count ?? 0;
  }

  /** As `Forwarder.forward`. */
  async forward(http: HttpRequest, tenant: Tenant, trace: RequestTrace): Promise<HttpResponse> {
    this.#loading ??= this.#load();
    const forwarder = await this.#loading;
    return forwarder.forward(http, tenant, trace);
  }

  async close(): Promise<void> {
    const forwarder = await this.#loading;
    await forwarder?.close();
  }

  async #load(): Promise<Forwarder> {
    const { Forwarder } = await import('./forwarder.ts');
    this.#forwarder = new Forwarder(this.#options);
    return this.#forwarder;
  }
}
