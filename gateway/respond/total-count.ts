import { GatewayError } from '../errors/gateway-error.ts';
import type { MainRow } from './main-row.ts';
import type { ResponseInput } from './response-input.ts';

/**
 * The total of a read, as `Prefer: count` asks for it (O7): `exact` is what was counted, `planned` is the planner's guess,
 * `estimated` is what was counted up to `db-max-rows` and the greater of the two beyond.
 */
export function totalCount(input: ResponseInput, row: Pick<MainRow, 'totalCount'>): number | undefined {
  const { count } = input.request.preferences;
  if (count === undefined || count === 'exact') return row.totalCount;
  if (count === 'planned') return plannedRows(input);
  const exact = row.totalCount;
  const { dbMaxRows } = input.settings;
  if (exact === undefined || (dbMaxRows !== undefined && exact <= dbMaxRows)) return exact;
  const planned = plannedRows(input);
  return planned === undefined ? exact : Math.max(exact, planned);
}

/** `Plan Rows` of the top node of an `EXPLAIN (FORMAT JSON)`. */
function plannedRows({ query, resultSet }: ResponseInput): number | undefined {
  if (query.explain === undefined) return undefined;
  const text = resultSet.results[query.explain]?.rows[0]?.[0];
  if (typeof text !== 'string') return undefined;
  try {
    const [top] = JSON.parse(text) as readonly { readonly Plan?: { readonly 'Plan Rows'?: unknown } }[];
    const rows = top?.Plan?.['Plan Rows'];
    return typeof rows === 'number' ? rows : undefined;
  } catch (cause) {
    throw new GatewayError('PGRSTX00', { cause });
  }
}
