import type { Routine, RoutineParam } from '../schema-cache/schema-cache.ts';
import type { Returning } from './mutate-plan.ts';

/** How a routine gets its arguments. */
export type CallArguments =
  | { readonly kind: 'none' }
  /** One JSON object (or the first of an array), read into a record of the parameters' types. */
  | {
      readonly kind: 'json';
      readonly text: string;
      readonly isArray: boolean;
      readonly params: readonly RoutineParam[];
    }
  /** Values from the query string or a form, as PostgreSQL literals. */
  | { readonly kind: 'values'; readonly values: readonly (readonly [param: RoutineParam, value: string])[] }
  /** The whole body for the only, unnamed parameter. */
  | { readonly kind: 'unnamed'; readonly param: RoutineParam; readonly value: string };

/** The column that a routine's only value is in. */
export const SCALAR_COLUMN = 'pgrst_scalar';

export interface CallPlan {
  readonly routine: Routine;
  readonly args: CallArguments;
  readonly returning: Returning;
  readonly maxAffected: number | undefined;
}
