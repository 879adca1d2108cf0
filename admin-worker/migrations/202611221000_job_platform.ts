import type { MigrationBuilder } from 'node-pg-migrate';

/** Jobs as steps with state, leases, logs, and totals for the metrics. */
export function up(pgm: MigrationBuilder): void {
  pgm.sql(`
    ALTER TABLE control.jobs
      -- First digits of the SHA-256 of the admin token of whoever asked for the job.
      ADD COLUMN actor text,
      ADD COLUMN priority smallint NOT NULL DEFAULT 0,
      ADD COLUMN is_dry_run boolean NOT NULL DEFAULT false,
      ADD COLUMN concurrency_key text,
      -- Number of the run that may write. Only grows; a run that has another number has lost the job.
      ADD COLUMN attempt integer NOT NULL DEFAULT 0,
      -- Whether that run has not told how it ended: found so by the next one, it died.
      ADD COLUMN is_attempt_open boolean NOT NULL DEFAULT false,
      ADD COLUMN failures integer NOT NULL DEFAULT 0,
      ADD COLUMN steps_begun text[] NOT NULL DEFAULT '{}',
      ADD COLUMN steps_done text[] NOT NULL DEFAULT '{}',
      ADD COLUMN step_state jsonb NOT NULL DEFAULT '{}',
      ADD COLUMN is_past_return boolean NOT NULL DEFAULT false,
      ADD COLUMN is_undoing boolean NOT NULL DEFAULT false,
      ADD COLUMN deadline_at timestamptz;
    -- Held from a job's first run to its end, also between two runs of it.
    CREATE UNIQUE INDEX jobs_one_active_by_key ON control.jobs (concurrency_key) WHERE state = 'active';
    CREATE INDEX ON control.jobs (created_at, id);
    CREATE INDEX ON control.jobs (finished_at) WHERE finished_at IS NOT NULL;
    CREATE INDEX ON control.jobs (name, state) WHERE state IN ('queued', 'active');

    CREATE TABLE control.job_log (
      id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      job_id uuid NOT NULL REFERENCES control.jobs ON DELETE CASCADE,
      at timestamptz NOT NULL,
      attempt integer NOT NULL,
      level text NOT NULL CHECK (level IN ('info', 'warn', 'error')),
      step text,
      line text NOT NULL
    );
    CREATE INDEX ON control.job_log (job_id, id);

    CREATE TABLE control.idempotency_keys (
      actor text NOT NULL,
      key text NOT NULL,
      request_sha256 text NOT NULL,
      job_id uuid NOT NULL REFERENCES control.jobs ON DELETE CASCADE,
      created_at timestamptz NOT NULL DEFAULT now(),
      PRIMARY KEY (actor, key)
    );
    CREATE INDEX ON control.idempotency_keys (job_id);

    -- Outlives the jobs themselves, so that counters never go back. bounds: docs/jobs.md.
    CREATE TABLE control.job_totals (
      name text NOT NULL,
      state text NOT NULL,
      jobs bigint NOT NULL,
      seconds double precision NOT NULL,
      -- Jobs by duration, not cumulated; the last is beyond all bounds.
      buckets bigint[] NOT NULL,
      PRIMARY KEY (name, state)
    );

    CREATE FUNCTION control.count_job() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
      seconds double precision := COALESCE(EXTRACT(EPOCH FROM NEW.finished_at - NEW.started_at), 0);
      bucket integer := width_bucket(seconds, '{0.1,0.5,1,5,15,60,300,1800,7200,21600}'::double precision[]) + 1;
      one bigint[] := array_fill(0::bigint, ARRAY[11]);
    BEGIN
      one[bucket] := 1;
      INSERT INTO control.job_totals AS t (name, state, jobs, seconds, buckets)
      VALUES (NEW.name, NEW.state, 1, seconds, one)
      ON CONFLICT (name, state) DO UPDATE SET jobs = t.jobs + 1, seconds = t.seconds + excluded.seconds,
        buckets[bucket] = t.buckets[bucket] + 1;
      RETURN NULL;
    END $$;
    CREATE TRIGGER count_job AFTER UPDATE ON control.jobs
      FOR EACH ROW WHEN (OLD.finished_at IS NULL AND NEW.finished_at IS NOT NULL)
      EXECUTE FUNCTION control.count_job();
  `);
}

export function down(pgm: MigrationBuilder): void {
  pgm.sql(`
    DROP TRIGGER count_job ON control.jobs;
    DROP FUNCTION control.count_job();
    DROP TABLE control.job_totals, control.idempotency_keys, control.job_log;
    DROP INDEX control.jobs_one_active_by_key;
    ALTER TABLE control.jobs
      DROP COLUMN actor, DROP COLUMN priority, DROP COLUMN is_dry_run, DROP COLUMN concurrency_key, DROP COLUMN attempt,
      DROP COLUMN is_attempt_open, DROP COLUMN failures, DROP COLUMN steps_begun, DROP COLUMN steps_done,
      DROP COLUMN step_state, DROP COLUMN is_past_return, DROP COLUMN is_undoing, DROP COLUMN deadline_at;
  `);
}
