import type { MigrationBuilder } from 'node-pg-migrate';

/** Jobs of pg_cron that rest while their tenant does. */
export function up(pgm: MigrationBuilder): void {
  pgm.sql(`
    CREATE TABLE control.paused_jobs (
      tenant_id text PRIMARY KEY REFERENCES control.tenants ON DELETE CASCADE,
      -- Those that were active, by their number in cron.job: these and no others run again.
      jobs bigint[] NOT NULL,
      -- Whether they have been told.
      is_done boolean NOT NULL DEFAULT false,
      paused_at timestamptz NOT NULL DEFAULT now()
    );
    -- Few of many thousands.
    CREATE INDEX tenants_at_rest ON control.tenants (id) WHERE status <> 'active'`);
}

export function down(pgm: MigrationBuilder): void {
  pgm.sql('DROP INDEX control.tenants_at_rest; DROP TABLE control.paused_jobs');
}
