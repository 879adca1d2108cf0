import type { MigrationBuilder } from 'node-pg-migrate';

/** Tenants that move to another installation: while they do, and forwarded to it afterwards. */
export function up(pgm: MigrationBuilder): void {
  pgm.sql(`
    ALTER TABLE control.tenants DROP CONSTRAINT tenants_status_check;
    ALTER TABLE control.tenants
      ADD CONSTRAINT tenants_status_check CHECK (status IN ('active', 'suspended', 'moving', 'forwarded')),
      ADD COLUMN forward_url text,
      ADD COLUMN forward_ca_certificate text,
      ADD CONSTRAINT tenants_forward_check CHECK ((status = 'forwarded') = (forward_url IS NOT NULL));

    CREATE TABLE control.moves (
      tenant_id text PRIMARY KEY REFERENCES control.tenants ON DELETE CASCADE,
      id uuid NOT NULL DEFAULT gen_random_uuid(),
      -- The other installation: what its admin API and its gateway are reached by.
      destination text NOT NULL,
      gateway_url text NOT NULL,
      ca_certificate text,
      state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'frozen', 'forwarding', 'ended')),
      -- Of the tenant, before writes were held.
      status_before text NOT NULL CHECK (status_before IN ('active', 'suspended')),
      -- Beyond this writes are no longer held, whatever has become of whoever asked for it.
      frozen_until timestamptz,
      frozen_at timestamptz,
      -- Another one for each freeze: whoever asks for one to last, or builds on it, has to know it.
      freeze_id uuid,
      -- What whoever moves the tenant wants to remember.
      notes jsonb NOT NULL DEFAULT '{}',
      created_at timestamptz NOT NULL DEFAULT now(),
      updated_at timestamptz NOT NULL DEFAULT now(),
      CHECK ((state = 'frozen') = (frozen_until IS NOT NULL AND frozen_at IS NOT NULL AND freeze_id IS NOT NULL))
    )`);
}

export function down(pgm: MigrationBuilder): void {
  pgm.sql(`
    DROP TABLE control.moves;
    ALTER TABLE control.tenants
      DROP CONSTRAINT tenants_forward_check,
      DROP COLUMN forward_url,
      DROP COLUMN forward_ca_certificate,
      DROP CONSTRAINT tenants_status_check,
      ADD CONSTRAINT tenants_status_check CHECK (status IN ('active', 'suspended', 'moving'))`);
}
