#!/bin/sh
# Makes the secrets docker-compose.yml asks for, in ./secrets. Run once, from the repository; files that exist are kept.
set -eu
umask 077
mkdir -p secrets
echo '*' >secrets/.gitignore

make() {
  [ -e "secrets/$1" ] || printf '%s' "$2" >"secrets/$1"
  # The containers run as users of their own; the folder keeps the host's other users out.
  chmod 0444 "secrets/$1"
}
random() { od -An -N32 -tx1 /dev/urandom | tr -d ' \n'; }

make postgres_password "$(random)"
make master_key "$(random)"
make phantom_key "$(random)"
make admin_token "$(random)"
make control_database_url "postgres://postgres:$(cat secrets/postgres_password)@db:5432/cascata_control"
