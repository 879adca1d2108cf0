import { DatabaseError } from 'pg';
import type { Batch } from './batch.ts';
import type { BatchPlan } from './role-switch/role-switch.ts';
import { UNEXPECTED_START } from './role-switch/settings-statement.ts';

/**
 * What a failed batch calls for. In the first two cases the request's own statements did not run to an end that counts: one implicit
 * transaction holds them all, and it is undone.
 */
export type BatchFailure =
  /** The server does not have a prepared statement that we thought it had, or has another under its name. */
  | 'lost-statements'
  /** The transaction began with modes that it should not have. */
  | 'unexpected-start'
  | 'final';

/** SQLSTATEs invalid_sql_statement_name and duplicate_prepared_statement. */
const LOST_CODES = new Set(['26000', '42P05']);
/** SQLSTATE feature_not_supported: "cached plan must not change result type", told by where it is raised. */
const STALE_PLAN_CODE = '0A000';
const STALE_PLAN_ROUTINE = 'RevalidateCachedQuery';

export function classifyFailure(error: unknown, batch: Batch, plan: BatchPlan): BatchFailure {
  if (!(error instanceof DatabaseError)) return 'final';
  if (plan.wrapping?.isLoss(error)) return 'lost-statements';
  // With a context the error comes from inside a function of the tenant's: its own business.
  if (error.where !== undefined) return 'final';
  const { code, routine } = error;
  if (code !== undefined && LOST_CODES.has(code)) return 'lost-statements';
  if (code === STALE_PLAN_CODE && routine === STALE_PLAN_ROUTINE) return 'lost-statements';
  const isStart = code === UNEXPECTED_START && batch.failedStatement === plan.settings;
  return isStart && plan.start === 'implicit' ? 'unexpected-start' : 'final';
}
