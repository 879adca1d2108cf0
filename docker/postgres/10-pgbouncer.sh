#!/bin/sh
# Runs once, when the cluster is made: the role, database and function PgBouncer looks logins up with.
set -eu
psql --no-psqlrc --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres \
  --set password="$(cat "${PGBOUNCER_PASSWORD_FILE:?names the file with the password of cascata_pgbouncer}")" \
  --file /usr/local/share/cascata/pgbouncer-auth.sql
