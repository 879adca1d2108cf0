-- On top of the tests' fixture: things that only the comparison looks at.
SET LOCAL search_path = test;

CREATE FUNCTION echo_header(name text) RETURNS text STABLE LANGUAGE sql AS $$
  SELECT current_setting('request.headers', true)::json ->> name
$$;
CREATE FUNCTION echo_claims() RETURNS json STABLE LANGUAGE sql AS $$
  SELECT current_setting('request.jwt.claims', true)::json
$$;
CREATE FUNCTION raise_state(state text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'raised %', state USING ERRCODE = state, DETAIL = 'the detail', HINT = 'the hint';
END
$$;
CREATE FUNCTION bad_headers() RETURNS void LANGUAGE plpgsql AS $$
BEGIN PERFORM set_config('response.headers', '{"not": "an array"}', true); END
$$;
CREATE FUNCTION bad_status() RETURNS void LANGUAGE plpgsql AS $$
BEGIN PERFORM set_config('response.status', 'teapot', true); END
$$;
CREATE FUNCTION raise_bad_pgrst() RETURNS void LANGUAGE plpgsql AS $$
BEGIN RAISE SQLSTATE 'PGRST' USING MESSAGE = 'not json', DETAIL = '{"status": 333, "headers": {}}'; END
$$;

-- What advances while requests are answered, back to what it was after loading: between two requests.
CREATE TABLE private.sequence_values AS
  SELECT schemaname, sequencename, last_value FROM pg_sequences;
CREATE FUNCTION private.reset_sequences() RETURNS void LANGUAGE sql AS $$
  SELECT setval(format('%I.%I', schemaname, sequencename)::regclass, coalesce(last_value, 1), last_value IS NOT NULL)
  FROM private.sequence_values
$$;
