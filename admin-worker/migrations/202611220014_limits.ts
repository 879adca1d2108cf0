import type { MigrationBuilder } from 'node-pg-migrate';

/** Further limits of a tenant; NULL: the gateway's default. */
export function up(pgm: MigrationBuilder): void {
  pgm.sql(`
    ALTER TABLE control.tenants
      ADD COLUMN max_queue integer CHECK (max_queue >= 0),
      ADD COLUMN max_queue_wait_ms integer CHECK (max_queue_wait_ms > 0),
      ADD COLUMN requests_per_second integer CHECK (requests_per_second > 0),
      ADD COLUMN max_header_bytes integer CHECK (max_header_bytes > 0),
      ADD COLUMN max_rows integer CHECK (max_rows > 0),
      ADD COLUMN max_replica_lag_ms integer CHECK (max_replica_lag_ms >= 0)`);
}

export function down(pgm: MigrationBuilder): void {
  pgm.sql(`
    ALTER TABLE control.tenants
      DROP COLUMN max_queue,
      DROP COLUMN max_queue_wait_ms,
      DROP COLUMN requests_per_second,
      DROP COLUMN max_header_bytes,
      DROP COLUMN max_rows,
      DROP COLUMN max_replica_lag_ms`);
}
