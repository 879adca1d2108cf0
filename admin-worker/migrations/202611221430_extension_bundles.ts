import type { MigrationBuilder } from 'node-pg-migrate';

/** What was brought into the running server, as the jobs that bring it leave it: the API does not see the volume. */
export function up(pgm: MigrationBuilder): void {
  pgm.sql(`
    CREATE TABLE control.extension_bundles (
      bundle text PRIMARY KEY,
      -- withdrawn: it does not fit the server as it is now; its files are kept, and not linked.
      state text NOT NULL CHECK (state IN ('published', 'withdrawn')),
      reason text,
      image text NOT NULL,
      digest text NOT NULL,
      -- Id of the image of the server that it was judged against.
      core text NOT NULL,
      databases integer NOT NULL,
      judged_at timestamptz NOT NULL DEFAULT now()
    );`);
}

export function down(pgm: MigrationBuilder): void {
  pgm.sql('DROP TABLE control.extension_bundles');
}
