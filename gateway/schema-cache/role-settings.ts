import type { StatementResult } from '../platform/result-set.ts';
import { readText, readTexts } from './row-reader.ts';

/**
 * Settings that a role may carry into its requests (G4): what a query costs, how long it may take, how values are written.
 * Anything that decides who the request is, what it sees, or how the gateway reads the answer is left out on purpose.
 */
const ALLOWED_SETTINGS: ReadonlySet<string> = new Set([
  'bytea_output',
  'cpu_index_tuple_cost',
  'cpu_operator_cost',
  'cpu_tuple_cost',
  'cursor_tuple_fraction',
  'datestyle',
  'default_statistics_target',
  'default_text_search_config',
  'default_transaction_deferrable',
  'default_transaction_isolation',
  'effective_cache_size',
  'effective_io_concurrency',
  'extra_float_digits',
  'from_collapse_limit',
  'hash_mem_multiplier',
  'idle_in_transaction_session_timeout',
  'intervalstyle',
  'join_collapse_limit',
  'lc_monetary',
  'lc_numeric',
  'lc_time',
  'lock_timeout',
  'max_parallel_workers_per_gather',
  'parallel_leader_participation',
  'parallel_setup_cost',
  'parallel_tuple_cost',
  'plan_cache_mode',
  'random_page_cost',
  'seq_page_cost',
  'statement_timeout',
  'temp_buffers',
  'timezone',
  'transaction_timeout',
  'work_mem',
  'xmlbinary',
  'xmloption',
]);

/** Families of planner switches, and settings of extensions or of the tenant's own. */
const ALLOWED_PREFIXES = [
  'enable_',
  'geqo',
  'jit',
  'min_parallel_',
  'app.',
  'plan_filter.',
  'pg_trgm.',
  'hnsw.',
  'ivfflat.',
];

/** Whether a setting of a role or function may be applied to a request. Names are compared as PostgreSQL does, without case. */
export function isAllowedSetting(name: string): boolean {
  const lower = name.toLowerCase();
  return ALLOWED_SETTINGS.has(lower) || ALLOWED_PREFIXES.some((prefix) => lower.startsWith(prefix));
}

/** Role → setting → value; a setting made for this database wins over one made for all. */
export function roleSettingsFromRows(
  result: StatementResult,
): ReadonlyMap<string, Readonly<Record<string, string>>> {
  const settings = new Map<string, Readonly<Record<string, string>>>();
  for (const row of result.rows) {
    const role = readText(row, 0);
    const merged: Record<string, string> = { ...settings.get(role) };
    for (const [name, value] of splitSettings(readTexts(row, 1))) {
      if (isAllowedSetting(name)) merged[name] = value;
    }
    if (Object.keys(merged).length > 0) settings.set(role, merged);
  }
  return settings;
}

/** `["work_mem=4MB"]` → `[["work_mem", "4MB"]]` */
export function splitSettings(
  config: readonly string[],
): readonly (readonly [name: string, value: string])[] {
  return config.map((setting) => {
    const at = setting.indexOf('=');
    return [setting.slice(0, at), setting.slice(at + 1)] as const;
  });
}
