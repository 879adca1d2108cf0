/**
 * Settings of the transaction that reads a catalog. The catalog of a database with a thousand tenants is large, and each of them
 * has little of it. Left to itself PostgreSQL plans the queries anew for each list of schemas, which is most of what they cost,
 * scans what an index leads to where its statistics are old, and sorts what it takes for a handful of rows where hashing is cheaper.
 */
export const CATALOG_SETTINGS: readonly (readonly [name: string, value: string])[] = [
  ['plan_cache_mode', 'force_generic_plan'],
  ['enable_seqscan', 'off'],
  ['enable_sort', 'off'],
  // Estimates can be high enough for it, the work never is.
  ['jit', 'off'],
];
