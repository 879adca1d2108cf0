import { SHOP_SQL } from './shop.ts';

/** The shop, and a table with ranges and text to search in; its service role may ask for plans. */
export const BOOKINGS_SQL = `${SHOP_SQL}
CREATE TABLE bookings (
  id integer PRIMARY KEY,
  room text,
  during int4range,
  note text,
  words tsvector GENERATED ALWAYS AS (to_tsvector('pg_catalog.english'::regconfig, coalesce(note, ''))) STORED
);
GRANT ALL ON bookings TO service_role;
INSERT INTO bookings VALUES
  (1, 'red', '[1,5)', 'fat cats ate rats'), (2, 'blue', '[5,9)', 'a fat dog'), (3, NULL, '[20,30)', NULL);
`;
