import type { MigrationBuilder } from 'node-pg-migrate';

/** The other ways of moving: back into this installation, and a database that was outside from the beginning. Old copies have an end. */
export function up(pgm: MigrationBuilder): void {
  pgm.sql(`
    ALTER TABLE control.ejections ADD COLUMN old_copy_deleted_at timestamptz;

    -- The last return of a tenant, which the job that made it knows again by its id.
    CREATE TABLE control.returns (
      tenant_id text PRIMARY KEY REFERENCES control.tenants ON DELETE CASCADE,
      job_id uuid NOT NULL,
      moved_at timestamptz NOT NULL DEFAULT now()
    );

    CREATE TABLE control.adoptions (
      tenant_id text PRIMARY KEY REFERENCES control.tenants ON DELETE CASCADE,
      job_id uuid NOT NULL,
      -- Of migrations; absent: there are none by us.
      sealed_migrator text,
      adopted_at timestamptz NOT NULL DEFAULT now()
    )`);
}

export function down(pgm: MigrationBuilder): void {
  pgm.sql(`
    DROP TABLE control.adoptions;
    DROP TABLE control.returns;
    ALTER TABLE control.ejections DROP COLUMN old_copy_deleted_at`);
}
