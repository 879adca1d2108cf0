#!/bin/sh
# Renders pgbouncer.ini and userlist.txt into a folder in memory and runs PgBouncer in their place.
set -eu

template=${PGBOUNCER_TEMPLATE:-/etc/pgbouncer/pgbouncer.ini}
run_dir=${RUN_DIR:-/run/pgbouncer}
umask 077

# Quotes are doubled in the user list; a password of several lines could add a user of its own.
password=$(cat "${PGBOUNCER_PASSWORD_FILE:?names the file with the password of cascata_pgbouncer}")
case $password in
  '') echo "$PGBOUNCER_PASSWORD_FILE is empty" >&2; exit 78 ;;
  *'
'*) echo "$PGBOUNCER_PASSWORD_FILE holds more than one line" >&2; exit 78 ;;
esac
printf '"cascata_pgbouncer" "%s"\n' "$(printf '%s' "$password" | sed 's/"/""/g')" >"$run_dir/userlist.txt"

sed \
  -e "s|@DB_HOST@|${DB_HOST:-db}|g" \
  -e "s|@DB_PORT@|${DB_PORT:-5432}|g" \
  -e "s|@LISTEN_ADDR@|${LISTEN_ADDR:-0.0.0.0}|g" \
  -e "s|@LISTEN_PORT@|${LISTEN_PORT:-6432}|g" \
  -e "s|@RUN_DIR@|$run_dir|g" \
  -e "s|@DEFAULT_POOL_SIZE@|${DEFAULT_POOL_SIZE:-20}|g" \
  -e "s|@MAX_DB_CONNECTIONS@|${MAX_DB_CONNECTIONS:-60}|g" \
  -e "s|@MAX_CLIENT_CONN@|${MAX_CLIENT_CONN:-2000}|g" \
  "$template" >"$run_dir/pgbouncer.ini"

exec "${PGBOUNCER_PROGRAM:-pgbouncer}" "$run_dir/pgbouncer.ini"
