/**
 * Checks that PostgREST makes after the query are made inside it here, so that a failure rolls back without a second
 * round trip. Such a guard casts a text to integer that cannot be one: the error is SQLSTATE 22P02 and its message holds
 * `GUARD_MARK` + kind + ':' + number of rows, in quotes, whatever the server's language.
 */
export const GUARD_MARK = 'cascata-guard:';

/** `singular` → PGRST116, `put` → PGRST115, `max-affected` → PGRST124; `null-key` and `same-key` of a body → PGRST102. */
export type GuardKind = 'singular' | 'put' | 'max-affected' | 'null-key' | 'same-key';
