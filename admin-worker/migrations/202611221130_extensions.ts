import type { MigrationBuilder } from 'node-pg-migrate';

/** What tenants have asked for, and what runners can do beyond SQL. */
export function up(pgm: MigrationBuilder): void {
  pgm.sql(`
    CREATE TABLE control.tenant_extensions (
      tenant_id text NOT NULL REFERENCES control.tenants ON DELETE CASCADE,
      name text NOT NULL,
      -- The job that asked for it first: undoing it takes back this row and no other.
      job_id uuid NOT NULL,
      requested_at timestamptz NOT NULL DEFAULT now(),
      PRIMARY KEY (tenant_id, name)
    );
    CREATE INDEX ON control.tenant_extensions (name);
    CREATE INDEX ON control.tenant_extensions (job_id);

    -- Only runners reach the container engine; the API reads here what they found.
    CREATE TABLE control.runner_facilities (
      name text PRIMARY KEY,
      is_on boolean NOT NULL,
      detail text NOT NULL,
      seen_at timestamptz NOT NULL DEFAULT now()
    );`);
}

export function down(pgm: MigrationBuilder): void {
  pgm.sql('DROP TABLE control.tenant_extensions, control.runner_facilities');
}
