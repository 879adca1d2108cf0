import type { MigrationBuilder } from 'node-pg-migrate';

/** The registry: what the gateway reads. */
export function up(pgm: MigrationBuilder): void {
  pgm.sql(`
    CREATE TABLE control.tenants (
      id text PRIMARY KEY CHECK (id ~ '^[a-z][a-z0-9_-]{0,39}$'),
      status text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'suspended', 'moving')),
      placement_kind text NOT NULL CHECK (placement_kind IN ('shared', 'database', 'remote')),
      database_name text,
      sealed_connection_string text,
      sealed_read_replica_url text,
      -- The parts of the sealed DSN that may be shown: host, port, database.
      placement_display jsonb NOT NULL DEFAULT '{}',
      isolation text NOT NULL CHECK (isolation IN ('sealed', 'trusted')),
      epoch integer NOT NULL DEFAULT 1,
      schema_prefix text,
      role_prefix text,
      jwt_kind text NOT NULL CHECK (jwt_kind IN ('none', 'secret', 'jwks', 'jwks-url')),
      sealed_jwt text,
      jwks_url text,
      -- iat of the anon and service_role tokens, which are signed anew whenever they are asked for.
      keys_issued_at timestamptz NOT NULL DEFAULT date_trunc('second', now()),
      require_api_key boolean NOT NULL DEFAULT false,
      max_in_flight integer CHECK (max_in_flight > 0),
      statement_timeout_ms integer CHECK (statement_timeout_ms > 0),
      max_body_bytes integer CHECK (max_body_bytes > 0),
      postgrest jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(postgrest) = 'object'),
      created_at timestamptz NOT NULL DEFAULT now(),
      updated_at timestamptz NOT NULL DEFAULT now(),
      CHECK ((placement_kind = 'remote') = (sealed_connection_string IS NOT NULL)),
      CHECK ((placement_kind = 'database') = (database_name IS NOT NULL)),
      CHECK ((jwt_kind IN ('secret', 'jwks')) = (sealed_jwt IS NOT NULL)),
      CHECK ((jwt_kind = 'jwks-url') = (jwks_url IS NOT NULL))
    );

    CREATE TABLE control.tenant_hosts (
      host text PRIMARY KEY CHECK (host = lower(host)),
      tenant_id text NOT NULL REFERENCES control.tenants ON DELETE CASCADE
    );
    CREATE INDEX ON control.tenant_hosts (tenant_id);

    CREATE TABLE control.api_keys (
      id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
      tenant_id text NOT NULL REFERENCES control.tenants ON DELETE CASCADE,
      kind text NOT NULL CHECK (kind IN ('publishable', 'secret')),
      role text NOT NULL,
      sha256 text NOT NULL UNIQUE CHECK (sha256 ~ '^[0-9a-f]{64}$'),
      sealed text NOT NULL,
      created_at timestamptz NOT NULL DEFAULT now()
    );
    CREATE INDEX ON control.api_keys (tenant_id);

    -- Payloads are limited to 8000 bytes; without hosts a listener drops what it holds of the tenant by its id.
    CREATE FUNCTION control.announce(tenant text, hosts text[]) RETURNS void LANGUAGE sql AS $$
      SELECT pg_notify('cascata_registry', json_build_object(
        'tenant', tenant,
        'hosts', CASE WHEN octet_length(hosts::text) > 7000 THEN '[]'::json ELSE to_json(hosts) END)::text)
    $$;

    CREATE FUNCTION control.announce_tenant() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
      tenant text := CASE TG_OP WHEN 'DELETE' THEN OLD.id ELSE NEW.id END;
    BEGIN
      PERFORM control.announce(
        tenant, ARRAY(SELECT h.host FROM control.tenant_hosts h WHERE h.tenant_id = tenant ORDER BY h.host));
      RETURN NULL;
    END $$;

    CREATE FUNCTION control.announce_host() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF TG_OP <> 'INSERT' THEN PERFORM control.announce(OLD.tenant_id, ARRAY[OLD.host]); END IF;
      IF TG_OP <> 'DELETE' THEN PERFORM control.announce(NEW.tenant_id, ARRAY[NEW.host]); END IF;
      RETURN NULL;
    END $$;

    CREATE FUNCTION control.announce_key() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
      tenant text := CASE TG_OP WHEN 'DELETE' THEN OLD.tenant_id ELSE NEW.tenant_id END;
    BEGIN
      PERFORM control.announce(
        tenant, ARRAY(SELECT h.host FROM control.tenant_hosts h WHERE h.tenant_id = tenant ORDER BY h.host));
      RETURN NULL;
    END $$;

    CREATE TRIGGER announce AFTER INSERT OR UPDATE OR DELETE ON control.tenants
      FOR EACH ROW EXECUTE FUNCTION control.announce_tenant();
    CREATE TRIGGER announce AFTER INSERT OR UPDATE OR DELETE ON control.tenant_hosts
      FOR EACH ROW EXECUTE FUNCTION control.announce_host();
    CREATE TRIGGER announce AFTER INSERT OR UPDATE OR DELETE ON control.api_keys
      FOR EACH ROW EXECUTE FUNCTION control.announce_key();
  `);
}

export function down(pgm: MigrationBuilder): void {
  pgm.sql(`
    DROP TABLE control.api_keys, control.tenant_hosts, control.tenants;
    DROP FUNCTION control.announce_key(), control.announce_host(), control.announce_tenant(), control.announce(text, text[]);
  `);
}
