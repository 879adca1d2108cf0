import type { MigrationBuilder } from 'node-pg-migrate';

/** Tenants that were moved to a database of their own, and what it takes to take that back. */
export function up(pgm: MigrationBuilder): void {
  pgm.sql(`
    CREATE TABLE control.ejections (
      tenant_id text PRIMARY KEY REFERENCES control.tenants ON DELETE CASCADE,
      job_id uuid NOT NULL,
      mode text NOT NULL CHECK (mode IN ('offline', 'online')),
      -- Where the tenant was: its old copy is there still, and nobody can write to it.
      from_kind text NOT NULL CHECK (from_kind IN ('shared', 'database')),
      from_database text,
      -- The login that was given for the move, and the one that migrations run with.
      sealed_target text NOT NULL,
      sealed_migrator text NOT NULL,
      moved_at timestamptz NOT NULL DEFAULT now(),
      keep_until timestamptz NOT NULL
    )`);
}

export function down(pgm: MigrationBuilder): void {
  pgm.sql('DROP TABLE control.ejections');
}
