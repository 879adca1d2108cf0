import type { MigrationBuilder } from 'node-pg-migrate';

/** Who may sign the certificates of a tenant's own servers. A certificate is public, so it is not sealed. */
export function up(pgm: MigrationBuilder): void {
  pgm.sql(`ALTER TABLE control.tenants ADD COLUMN ca_certificate text`);
}

export function down(pgm: MigrationBuilder): void {
  pgm.sql(`ALTER TABLE control.tenants DROP COLUMN ca_certificate`);
}
