import type { z } from 'zod';

/**
 * What the admin API knows of a kind of job: what it is given and how it stands to others. It lives apart from the steps, so that
 * the API's process loads nothing of what the steps need.
 */
export interface JobKind<Payload> {
  /** `apply-migrations`: also the name of its queue. Never changes once jobs of it exist. */
  readonly name: string;
  /** One line for the OpenAPI document. */
  readonly summary: string;
  /** What the job is given; kept as JSON until it is over, so secrets belong sealed. */
  readonly payload: z.ZodType<Payload>;
  /** Tenant the job is about, for `GET /v1/jobs?tenant=`. */
  tenantOf?(payload: Payload): string | undefined;
  /**
   * Of all jobs with one key, of whatever kind, one is at work: from its first run to its end, also while it waits for another
   * attempt. `tenant:acme`, `cluster`. Where it gives `undefined` there is no bound.
   */
  concurrencyKey?(payload: Payload): string | undefined;
  /** What becomes of a job whose key is taken: it waits in the queue (default), or asking for it is answered with 409. */
  readonly whenBusy?: 'wait' | 'refuse';
  /** How often it may fail unexpectedly, or its runner may die, and be tried again. Default 5. */
  readonly retryLimit?: number;
  /** Delay before the first new attempt; doubles, with jitter, up to a minute. Default 1. */
  readonly retryDelaySeconds?: number;
  /** From the first start to the end of the last step; beyond it the job is undone and fails. Default 6 hours, at most 23. */
  readonly deadlineSeconds?: number;
  /** Jobs of this kind that one runner works on at once. Default 4. */
  readonly slots?: number;
}

const DEFAULTS = {
  whenBusy: 'wait',
  retryLimit: 5,
  retryDelaySeconds: 1,
  deadlineSeconds: 6 * 3_600,
  slots: 4,
} as const;

/** A kind with its defaults filled in. */
export function limitsOf(kind: AnyJobKind) {
  const { whenBusy, retryLimit, retryDelaySeconds, deadlineSeconds, slots } = { ...DEFAULTS, ...kind };
  return { whenBusy, retryLimit, retryDelaySeconds, deadlineSeconds, slots };
}

/** A kind whose payload is not known here; only values that its own `payload` has parsed go into its functions. */
export type AnyJobKind = JobKind<unknown>;
