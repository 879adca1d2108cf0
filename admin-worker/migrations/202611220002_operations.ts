import type { MigrationBuilder } from 'node-pg-migrate';

/** What the admin worker keeps for itself: who did what, migrations of tenants, jobs. */
export function up(pgm: MigrationBuilder): void {
  pgm.sql(`
    CREATE TABLE control.audit_log (
      id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      at timestamptz NOT NULL DEFAULT now(),
      -- First digits of the SHA-256 of the admin token, and the address of the peer.
      actor text NOT NULL,
      address text,
      action text NOT NULL,
      -- Not a foreign key: the log outlives the tenant.
      tenant_id text,
      before jsonb,
      after jsonb
    );
    CREATE INDEX ON control.audit_log (tenant_id, id);

    CREATE TABLE control.tenant_migrations (
      tenant_id text NOT NULL REFERENCES control.tenants ON DELETE CASCADE,
      name text NOT NULL,
      checksum text NOT NULL,
      sql text NOT NULL,
      state text NOT NULL CHECK (state IN ('applying', 'applied')),
      -- Transaction in the tenant's database; after a crash its fate there decides whether 'applying' became 'applied'.
      transaction_id text NOT NULL,
      job_id uuid,
      applied_at timestamptz,
      PRIMARY KEY (tenant_id, name)
    );

    CREATE TABLE control.jobs (
      id uuid PRIMARY KEY,
      name text NOT NULL,
      -- Not a foreign key: a job may be what deletes the tenant.
      tenant_id text,
      state text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'active', 'completed', 'failed', 'cancelled')),
      progress smallint NOT NULL DEFAULT 0 CHECK (progress BETWEEN 0 AND 100),
      step text,
      message text,
      error jsonb,
      result jsonb,
      is_cancel_requested boolean NOT NULL DEFAULT false,
      created_at timestamptz NOT NULL DEFAULT now(),
      started_at timestamptz,
      finished_at timestamptz,
      updated_at timestamptz NOT NULL DEFAULT now()
    );
    CREATE INDEX ON control.jobs (tenant_id, created_at);

    CREATE TABLE control.job_events (
      id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      job_id uuid NOT NULL REFERENCES control.jobs ON DELETE CASCADE,
      at timestamptz NOT NULL DEFAULT now(),
      state text NOT NULL,
      progress smallint NOT NULL,
      step text,
      message text,
      error jsonb
    );
    CREATE INDEX ON control.job_events (job_id, id);

    -- Every visible change of a job is an event, whoever makes it.
    CREATE FUNCTION control.record_job_event() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      INSERT INTO control.job_events (job_id, state, progress, step, message, error)
      VALUES (NEW.id, NEW.state, NEW.progress, NEW.step, NEW.message, NEW.error);
      PERFORM pg_notify('cascata_jobs', NEW.id::text);
      RETURN NULL;
    END $$;
    CREATE TRIGGER record_event_of_new AFTER INSERT ON control.jobs
      FOR EACH ROW EXECUTE FUNCTION control.record_job_event();
    CREATE TRIGGER record_event_of_change AFTER UPDATE ON control.jobs
      FOR EACH ROW
      WHEN ((OLD.state, OLD.progress, OLD.step, OLD.message) IS DISTINCT FROM (NEW.state, NEW.progress, NEW.step, NEW.message))
      EXECUTE FUNCTION control.record_job_event();
  `);
}

export function down(pgm: MigrationBuilder): void {
  pgm.sql(`
    DROP TABLE control.job_events, control.jobs, control.tenant_migrations, control.audit_log;
    DROP FUNCTION control.record_job_event();
  `);
}
