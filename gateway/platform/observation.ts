/** Everything worth telling. The logger and the metrics are the only two consumers, and each decides what to do with it. */
/** Of a request, in the order of their indexes in `stages`. */
export const STAGES = ['tenant', 'jwt', 'body', 'parse', 'cache', 'plan', 'transaction', 'response'] as const;

type Stage = (typeof STAGES)[number];

/** The places of `STAGES`: nothing has to be looked for where a request passes one. */
export const STAGE = Object.fromEntries(STAGES.map((stage, index) => [stage, index])) as Readonly<
  Record<Stage, number>
>;

/** Of what was no request of the pipeline. */
export const NO_STAGES: readonly number[] = STAGES.map(() => Number.NaN);

export type Observation =
  | {
      readonly kind: 'process-started';
      readonly process: string;
      readonly port?: number;
      readonly durationMs: number;
    }
  | { readonly kind: 'process-stopping'; readonly process: string; readonly reason: string }
  | { readonly kind: 'process-failed'; readonly process: string; readonly cause: unknown }
  | {
      readonly kind: 'request-finished';
      readonly requestId: string;
      readonly tenantId: string | undefined;
      readonly method: string;
      /** Route pattern, never the path with its values: `/rest/v1/:relation`. */
      readonly route: string;
      readonly status: number;
      readonly errorCode: string | undefined;
      readonly upstream: string | undefined;
      readonly rows: number | undefined;
      readonly durationMs: number;
      /** Milliseconds of each of `STAGES`; NaN for those that did not take place. */
      readonly stages: readonly number[];
    }
  | {
      readonly kind: 'request-failed';
      readonly requestId: string;
      readonly tenantId: string | undefined;
      readonly cause: unknown;
    }
  | { readonly kind: 'tenant-cache'; readonly outcome: 'hit' | 'miss' | 'stale' | 'invalidated' }
  | { readonly kind: 'registry-unreachable'; readonly cause: unknown }
  | { readonly kind: 'registry-listener'; readonly state: 'connected' | 'lost'; readonly cause?: unknown }
  | {
      readonly kind: 'schema-cache-loaded';
      readonly tenantId: string;
      readonly durationMs: number;
      readonly relations: number;
      readonly sizeBytes: number;
    }
  | {
      /** Pushed out by pictures of other tenants: the next request of this one reads its catalog again. */
      readonly kind: 'schema-cache-evicted';
      readonly tenantId: string;
      readonly sizeBytes: number;
    }
  | { readonly kind: 'schema-cache-failed'; readonly tenantId: string; readonly cause: unknown }
  | {
      /** What a tenant's database says of settings that cannot be used. */
      readonly kind: 'settings-ignored';
      readonly tenantId: string;
      readonly problems: readonly { readonly name: string; readonly message: string }[];
    }
  | {
      readonly kind: 'schema-listener';
      /** `undefined`: the shared database. */
      readonly tenantId: string | undefined;
      readonly state: 'connected' | 'lost';
      readonly cause?: unknown;
    }
  | { readonly kind: 'jwt-cache'; readonly outcome: 'hit' | 'miss' | 'eviction' }
  | { readonly kind: 'pool-opened'; readonly upstream: string }
  | { readonly kind: 'pool-closed'; readonly upstream: string; readonly reason: string }
  | {
      readonly kind: 'upstream-failed';
      readonly tenantId: string | undefined;
      readonly upstream: string;
      readonly cause: unknown;
    }
  | {
      /** `open`: the upstream gets no requests; `half-open`: one, as a probe; `closed`: it has answered. */
      readonly kind: 'upstream-breaker';
      readonly upstream: string;
      readonly state: 'open' | 'half-open' | 'closed';
      readonly cause?: unknown;
    }
  | {
      /** A request of a tenant that has moved to another installation, and what became of it. */
      readonly kind: 'request-forwarded';
      readonly outcome: 'answered' | 'unreachable' | 'broken' | 'timeout' | 'loop' | 'refused' | 'left';
    }
  | {
      /** `cause` absent: `pgbouncer.ini` was written and read by PgBouncer. */
      readonly kind: 'pgbouncer-configured';
      readonly databases: number;
      readonly cause?: unknown;
    }
  | {
      readonly kind: 'job-changed';
      readonly jobId: string;
      readonly job: string;
      readonly state: string;
      readonly step?: string;
      readonly cause?: unknown;
    };

export type Observe = (observation: Observation) => void;
