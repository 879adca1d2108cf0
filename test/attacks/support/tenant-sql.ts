/** What must never be seen by anybody but its owner. */
export const MARKER = 'only-for-the-victim';

/** The victim: data, texts in every kind of catalog, and a look at its own session. */
export const VICTIM_SQL = `
  CREATE TABLE public.secrets (id int PRIMARY KEY, text text);
  INSERT INTO public.secrets VALUES (1, '${MARKER}');
  COMMENT ON TABLE public.secrets IS 'comment ${MARKER}';
  CREATE TABLE public.notes (id int PRIMARY KEY, text text, secret int REFERENCES public.secrets);
  INSERT INTO public.notes SELECT n, '${MARKER} ' || n, 1 FROM generate_series(1, 20) n;
  GRANT SELECT ON public.notes TO anon, authenticated;
  CREATE FUNCTION public.body() RETURNS text LANGUAGE sql AS $$ SELECT 'source ${MARKER}' $$;
  CREATE VIEW public.view AS SELECT 'view ${MARKER}' AS text;
  CREATE TABLE public.checked (id int CHECK (id <> 4711 OR 'check ${MARKER}' = ''), text text DEFAULT 'default ${MARKER}');
  CREATE INDEX ON public.checked (id) WHERE text = 'index ${MARKER}';
  ALTER TABLE public.checked ENABLE ROW LEVEL SECURITY;
  CREATE POLICY own ON public.checked USING (text = 'policy ${MARKER}');
  CREATE DOMAIN public.tagged AS text DEFAULT 'type ${MARKER}';
  CREATE TRIGGER same BEFORE UPDATE ON public.checked FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger('trigger ${MARKER}');
  CREATE TABLE public.parted (text text) PARTITION BY LIST (text);
  CREATE TABLE public.part PARTITION OF public.parted FOR VALUES IN ('bound ${MARKER}');
  CREATE SEQUENCE public.counter;
  CREATE FUNCTION public.next() RETURNS bigint LANGUAGE sql AS $$ SELECT nextval('counter') $$;
  CREATE FUNCTION public.traces() RETURNS json LANGUAGE sql AS $$
    SELECT json_build_object(
      'role', current_user::text, 'session', session_user::text,
      'path', current_setting('search_path'), 'timeout', current_setting('statement_timeout'),
      'claims', current_setting('request.jwt.claims', true), 'work_mem', current_setting('work_mem'),
      -- The name of a setting outlasts RESET ALL, empty (docs/security.md).
      'app', NULLIF(current_setting('app.left', true), ''), 'isolation', current_setting('default_transaction_isolation'),
      'read_only', current_setting('default_transaction_read_only'), 'replication', current_setting('session_replication_role'),
      'listening', (SELECT count(*) FROM pg_listening_channels()),
      'locks', (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()),
      'temporary', (SELECT count(*) FROM pg_class WHERE relpersistence = 't'),
      'rows', (SELECT count(*) FROM secrets), 'text', (SELECT text FROM secrets))
  $$;`;

/** The attacker: a function that runs any SQL, and \`steal()\` in every place from which PostgreSQL calls functions. */
export const ATTACKER_SQL = `
  CREATE TABLE public.own (id int PRIMARY KEY, text text);
  INSERT INTO public.own VALUES (1, 'own');
  CREATE TABLE public.notes (id int REFERENCES public.own, data jsonb);
  INSERT INTO public.notes VALUES (1, '{}');
  CREATE FUNCTION public.run(statements text[]) RETURNS text LANGUAGE plpgsql AS $$
  DECLARE
    statement text;
    result text;
  BEGIN
    FOREACH statement IN ARRAY statements LOOP
      IF statement ILIKE 'SELECT %' AND statement NOT ILIKE '% INTO %' THEN EXECUTE statement INTO result;
      ELSE EXECUTE statement;
      END IF;
    END LOOP;
    RETURN result;
  END $$;
  CREATE FUNCTION public.no_limit() RETURNS text LANGUAGE sql AS $$ SELECT set_config('statement_timeout', '0', false) $$;
  CREATE PROCEDURE public.commits() LANGUAGE plpgsql AS $$ BEGIN COMMIT; END $$;
  CREATE FUNCTION @a.steal() RETURNS text LANGUAGE plpgsql AS $$
  DECLARE loot text;
  BEGIN
    PERFORM set_config('role', '@b_service_role', true);
    SELECT text INTO loot FROM @b.secrets;
    PERFORM set_config('role', '@a_service_role', true);
    RETURN loot;
  END $$;
  CREATE FUNCTION @a.steal(int) RETURNS text LANGUAGE sql AS 'SELECT @a.steal()';
  CREATE FUNCTION public.tell_user() RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'ran as %', current_user; END $$;
  CREATE FUNCTION public.tell_loot() RETURNS text LANGUAGE plpgsql AS $$
  DECLARE loot text;
  BEGIN
    PERFORM set_config('role', '@b_service_role', true);
    SELECT text INTO loot FROM @b.secrets;
    RAISE EXCEPTION 'loot: %', loot;
  END $$;
  CREATE FUNCTION public.definer_steal() RETURNS text LANGUAGE sql SECURITY DEFINER AS 'SELECT @a.steal()';
  CREATE VIEW public.v_steal AS SELECT @a.steal() AS loot;
  CREATE TABLE public.p_steal (id int);
  INSERT INTO public.p_steal VALUES (1);
  ALTER TABLE public.p_steal ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
  CREATE POLICY p ON public.p_steal USING (@a.steal() IS NOT NULL);
  GRANT SELECT ON public.p_steal TO anon, authenticated;
  CREATE TABLE public.d_steal (id int, loot text DEFAULT @a.steal());
  CREATE TABLE public.t_steal (id int, loot text);
  CREATE FUNCTION public.t_steal() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.loot := @a.steal(); RETURN NEW; END $$;
  CREATE TRIGGER t BEFORE INSERT ON public.t_steal FOR EACH ROW EXECUTE FUNCTION public.t_steal();
  CREATE TABLE public.c_steal (id int CHECK (@a.steal(id) IS NOT NULL));
  CREATE DOMAIN public.dom_steal AS int CHECK (@a.steal(VALUE) IS NOT NULL);
  CREATE FUNCTION public.takes_domain(d public.dom_steal) RETURNS text LANGUAGE sql AS 'SELECT ''taken''';
  CREATE FUNCTION public.computed(public.own) RETURNS text LANGUAGE sql AS 'SELECT @a.steal()';
  CREATE OPERATOR @a.!!! (RIGHTARG = int, FUNCTION = @a.steal);
  CREATE AGGREGATE public.a_steal(int) (SFUNC = int4pl, STYPE = int, FINALFUNC = @a.steal);
  CREATE FUNCTION public.aggregated() RETURNS text LANGUAGE sql AS 'SELECT @a.a_steal(1)::text';
  CREATE FUNCTION public.rule_steal() RETURNS text LANGUAGE sql AS 'SELECT loot FROM @a.v_steal';
  DO $do$ BEGIN
    EXECUTE $sql$ CREATE FUNCTION @a.f_steal() RETURNS text LANGUAGE sql SET role = '@b_service_role' AS 'SELECT text FROM @b.secrets' $sql$;
  EXCEPTION WHEN insufficient_privilege OR invalid_parameter_value THEN
    CREATE FUNCTION @a.f_steal() RETURNS text LANGUAGE sql AS 'SELECT @a.steal()';
  END $do$;
  CREATE FUNCTION public.headers(list text, status text) RETURNS text LANGUAGE plpgsql AS $$
  BEGIN
    PERFORM set_config('response.headers', list, true), set_config('response.status', status, true);
    RETURN 'told';
  END $$;
  CREATE FUNCTION public.raise(code text, message text, detail text) RETURNS text LANGUAGE plpgsql AS $$
  BEGIN RAISE EXCEPTION USING ERRCODE = code, MESSAGE = message, DETAIL = detail; END $$;
  CREATE DOMAIN public."text/x-evil" AS text;
  CREATE FUNCTION public.evil_type() RETURNS public."text/x-evil" LANGUAGE sql AS $$ SELECT '<script>1</script>'::public."text/x-evil" $$;`;
