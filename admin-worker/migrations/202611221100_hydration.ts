import type { MigrationBuilder } from 'node-pg-migrate';

/** Which job made a tenant out of an archive: undoing that job may drop this tenant and no other. */
export function up(pgm: MigrationBuilder): void {
  pgm.sql('ALTER TABLE control.tenants ADD COLUMN hydrated_by uuid');
}

export function down(pgm: MigrationBuilder): void {
  pgm.sql('ALTER TABLE control.tenants DROP COLUMN hydrated_by');
}
