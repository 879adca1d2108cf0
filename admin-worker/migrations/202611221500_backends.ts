import type { MigrationBuilder } from 'node-pg-migrate';

/** Where a tenant's files and vectors are; what opens these places is sealed. */
export function up(pgm: MigrationBuilder): void {
  pgm.sql(`
    ALTER TABLE control.tenants
      ADD COLUMN backends jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(backends) = 'object'),
      ADD COLUMN sealed_backends text`);
}

export function down(pgm: MigrationBuilder): void {
  pgm.sql('ALTER TABLE control.tenants DROP COLUMN backends, DROP COLUMN sealed_backends');
}
