/** One thing that preflight has to say. `error`: the tenant cannot be moved so; `warning`: it can, and something will be different; `info`: worth knowing. */
export interface Finding {
  readonly code: FindingCode;
  readonly severity: 'error' | 'warning' | 'info';
  /** What it is about: a table, a role, an extension, `source`, `target`. */
  readonly object: string;
  readonly text: string;
  readonly what_to_do: string | null;
}

/** `docs/ejection.md` and `docs/adopt.md` list them. */
export type FindingCode =
  | 'unreachable'
  | 'tools_missing'
  | 'version_older'
  | 'same_database'
  | 'read_only'
  | 'encoding'
  | 'collation'
  | 'no_createrole'
  | 'no_bypassrls'
  | 'no_create'
  | 'role_exists'
  | 'schema_exists'
  | 'extension_missing'
  | 'extension_version'
  | 'free_space'
  | 'connections'
  | 'large_objects'
  | 'unlogged_table'
  | 'foreign_table'
  | 'foreign_owner'
  | 'outside_reference'
  | 'forced_rls'
  | 'materialized_view'
  | 'wal_level'
  | 'replication_slots'
  | 'replica_identity'
  | 'subscription_rights'
  | 'replica_unreachable'
  | 'not_a_replica'
  | 'always_trigger'
  | 'scheduled_jobs'
  | 'no_owner'
  | 'other_database'
  | 'publication_rights'
  | 'schema_name'
  | 'foreign_grant'
  | 'deferred_code'
  | 'expression_rights'
  | 'login_too_strong'
  | 'login_roles'
  | 'role_missing'
  | 'role_too_strong'
  | 'schema_missing'
  | 'anon_role'
  | 'key_role'
  | 'rls_off'
  | 'definer_function'
  | 'no_usage'
  | 'auth_helpers';

/** Whether nothing stands in the way. */
export function canEject(findings: readonly Finding[]): boolean {
  return findings.every(({ severity }) => severity !== 'error');
}

export function finding(
  severity: Finding['severity'],
  code: FindingCode,
  { object, text, todo }: { readonly object: string; readonly text: string; readonly todo?: string },
): Finding {
  return { code, severity, object, text, what_to_do: todo ?? null };
}
