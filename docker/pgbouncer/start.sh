#!/bin/sh
# Runs PgBouncer on what the admin worker writes. At the first start of a stack that takes a moment.
set -eu

config_dir=${CONFIG_DIR:-/pgbouncer-config}
polls=0
until [ -r "$config_dir/pgbouncer.ini" ] && [ -r "$config_dir/userlist.txt" ]; do
  polls=$((polls + 1))
  if [ "$polls" -gt 300 ]; then
    echo "the admin worker has not written $config_dir/pgbouncer.ini (PGBOUNCER_CONFIG_DIR)" >&2
    exit 78
  fi
  sleep 0.5
done

exec "${PGBOUNCER_PROGRAM:-pgbouncer}" "$config_dir/pgbouncer.ini"
