#!/bin/sh
# A real container engine for the tests, with images made from Debian's packages and a registry to pull them from; nothing comes from Docker Hub.
#   docker-engine.sh prepare      installs and builds what is missing (the first time about a minute and a half); afterwards it does nothing
#   docker-engine.sh start PID    starts engine and registry unless they run; they are wanted as long as process PID lives
#   docker-engine.sh keep PID     the same, for whoever runs tests and pulls nothing: it saves each of them the start
#   docker-engine.sh stop PID     PID wants them no more; with the last one they end
#   docker-engine.sh env          prints where they are, as shell variables
# For root on Debian 12, amd64. Everything is below $CASCATA_DOCKER_GROUND (/var/cache/cascata-edge/docker) and $run; the engine is a second one
# beside any that the machine has: its own data, its own socket, its own bridge, and it leaves the machine's packet filter alone. Working copies whose
# images differ need a ground each: CASCATA_DOCKER_GROUND, _RUN, _BRIDGE and _ADDRESS, and CASCATA_REGISTRY_PORT.
set -eu

root=${CASCATA_DOCKER_GROUND:-/var/cache/cascata-edge/docker}
run=${CASCATA_DOCKER_RUN:-/run/cascata-edge-docker}
port=${CASCATA_REGISTRY_PORT:-5497}
mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
bridge=${CASCATA_DOCKER_BRIDGE:-cascata0}
address=${CASCATA_DOCKER_ADDRESS:-172.31.250.1/24}
socket=$run/docker.sock
registry=localhost:$port/cascata
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
# Images are made anew when what makes them changes.
stamp=$(cat "$here"/docker-images/* | sha256sum | cut -d' ' -f1)

fail() {
  echo "docker-engine: $1" >&2
  exit 1
}
say() { echo "docker-engine: $1 ($(($(date +%s) - began)) s)" >&2; }
began=$(date +%s)

# Debian's own client: the machine's may be too new for the engine, or lack its builder.
engine() { DOCKER_CONFIG=$root/client DOCKER_HOST=unix://$socket DOCKER_BUILDKIT=0 /usr/bin/docker "$@"; }

install_packages() {
  missing=
  [ -x /usr/sbin/dockerd ] && [ -x /usr/bin/docker ] || missing="$missing docker.io"
  command -v ip >/dev/null || missing="$missing iproute2"
  command -v flock >/dev/null || missing="$missing util-linux"
  command -v busybox >/dev/null || missing="$missing busybox"
  command -v shellcheck >/dev/null || missing="$missing shellcheck"
  [ -z "$missing" ] && return
  command -v apt-get >/dev/null || fail "there is no apt-get to install$missing with"
  # Services must not start while they are installed; where that is forbidden already, nothing is changed.
  guard=
  if [ ! -e /usr/sbin/policy-rc.d ]; then
    guard=/usr/sbin/policy-rc.d
    printf '#!/bin/sh\nexit 101\n' >"$guard"
    chmod 0755 "$guard"
  fi
  status=0
  # shellcheck disable=SC2086 # names of packages, to be split
  { apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install $missing; } >"$root/install.log" 2>&1 || status=$?
  [ -z "$guard" ] || rm -f "$guard"
  [ "$status" = 0 ] || fail "cannot install$missing: $(tail -n 3 "$root/install.log")"
  say "installed$missing"
}

answers() { engine version >/dev/null 2>&1; }
registry_answers() { engine manifest inspect --insecure "$registry/nothing:here" 2>&1 | grep -q 'no such manifest'; }

# Waits for $2, at most $1 tenths of a second.
wait_for() {
  tenths=$1
  shift
  while [ "$tenths" -gt 0 ]; do
    "$@" && return 0
    tenths=$((tenths - 1))
    sleep 0.1
  done
  return 1
}

start_daemons() {
  mkdir -p "$run" "$root/engine" "$root/registry-data" "$root/client"
  if ! answers; then
    if ! ip link show "$bridge" >/dev/null 2>&1; then
      ip link add "$bridge" type bridge
      ip addr add "$address" dev "$bridge"
      ip link set "$bridge" up
    fi
    rm -f "$run/docker.pid"
    setsid dockerd --data-root "$root/engine" --exec-root "$run/exec" --pidfile "$run/docker.pid" --host "unix://$socket" \
      --storage-driver overlay2 --bridge "$bridge" --iptables=false --ip6tables=false --ip-forward=false --ip-masq=false \
      --default-shm-size 64m </dev/null >"$run/dockerd.log" 2>&1 9>&- &
    wait_for 300 answers || fail "the engine does not answer: $(tail -n 5 "$run/dockerd.log")"
    # What an earlier run built and built anew is of no use.
    engine image prune -f >/dev/null
  fi
  # What others have pulled is to be pulled again.
  if ! grep -qs pulls "$run/users"/*; then
    pulled=$(engine image ls -q --filter "reference=$registry/*" | sort -u)
    # shellcheck disable=SC2086 # ids, to be split
    [ -z "$pulled" ] || engine rmi -f $pulled >/dev/null
  fi
  if ! registry_answers; then
    cat >"$run/registry.yml" <<YML
version: 0.1
log: {level: warn}
storage: {filesystem: {rootdirectory: $root/registry-data}, delete: {enabled: true}}
http: {addr: "127.0.0.1:$port"}
YML
    setsid "$root/registry/usr/bin/docker-registry" serve "$run/registry.yml" </dev/null >"$run/registry.log" 2>&1 9>&- &
    echo $! >"$run/registry.pid"
    wait_for 100 registry_answers || fail "the registry does not answer: $(tail -n 5 "$run/registry.log")"
  fi
}

end_process() {
  pid=$(cat "$1" 2>/dev/null) || return 0
  kill "$pid" 2>/dev/null || return 0
  # One that ended counts as gone, though its parent, the machine's first process, may take seconds to notice.
  gone() { ! kill -0 "$pid" 2>/dev/null || grep -q '^[0-9]* (.*) Z ' "/proc/$pid/stat" 2>/dev/null; }
  wait_for 300 gone || kill -9 "$pid" 2>/dev/null || :
}

stop_daemons() {
  if answers; then
    containers=$(engine ps -aq)
    # shellcheck disable=SC2086 # ids, to be split
    [ -z "$containers" ] || engine rm -f -v $containers >/dev/null
  fi
  end_process "$run/docker.pid"
  end_process "$run/registry.pid"
  rm -f "$run/registry.pid"
  ip link delete "$bridge" 2>/dev/null || :
}

drop_dead_users() {
  for user in "$run/users"/*; do
    [ -e "$user" ] || continue
    kill -0 "${user##*/}" 2>/dev/null || rm -f "$user"
  done
}

prepared() { [ "$(cat "$root/stamp" 2>/dev/null)" = "$stamp" ] && [ -x /usr/sbin/dockerd ] && [ -s "$root/images.json" ]; }

prepare() {
  prepared && return
  [ "$(id -u)" = 0 ] || fail 'only root can run an engine'
  [ "$(dpkg --print-architecture 2>/dev/null)" = amd64 ] || fail 'this is no Debian on amd64'
  install_packages
  rm -f "$root/stamp"
  root=$root registry=$registry mirror=$mirror keyring=$keyring sh "$here/docker-images/unpack.sh" || fail 'the packages could not be had'
  say 'packages unpacked'
  start_daemons
  engine system prune -af --volumes >/dev/null
  env DOCKER_CONFIG="$root/client" DOCKER_HOST="unix://$socket" DOCKER_BUILDKIT=0 root="$root" registry="$registry" \
    sh "$here/docker-images/build.sh" || fail 'the images could not be made'
  echo "$stamp" >"$root/stamp"
  say 'images made and pushed'
}

# pg_cron for the machine's own servers, which tests start beside it; nothing is installed. Where it cannot be had the tests say so.
fetch_cron() {
  for server in /usr/lib/postgresql/*; do
    major=${server##*/}
    if [ ! -x "$server/bin/postgres" ] || [ -e "$server/lib/pg_cron.so" ] || [ -d "$root/cron/$major" ]; then continue; fi
    rm -rf "$root/cron/new"
    mkdir -p "$root/cron/new"
    if (cd "$root/cron/new" && apt-get -qq -o APT::Sandbox::User=root download "postgresql-$major-cron" && dpkg -x ./*.deb . && rm ./*.deb) >/dev/null 2>&1; then
      mv "$root/cron/new" "$root/cron/$major"
    else
      rm -rf "$root/cron/new"
    fi
  done
}

main() {
  command=${1:-prepare}
  [ "$command" = env ] || {
    [ "$(id -u)" = 0 ] || fail 'only root can run an engine'
    mkdir -p "$root" "$run/users"
    # One at a time: several test runs may share the engine.
    exec 9>"$run/lock"
    flock 9
  }
  case $command in
  prepare)
    drop_dead_users
    prepare
    fetch_cron
    [ -n "$(ls "$run/users")" ] || stop_daemons
    ;;
  start | keep)
    case ${2:-} in '' | *[!0-9]*) fail "$command needs the id of a process" ;; esac
    drop_dead_users
    prepare
    start_daemons
    [ "$command" = keep ] && : >"$run/users/$2" || echo pulls >"$run/users/$2"
    ;;
  stop)
    rm -f "$run/users/${2:-none}"
    drop_dead_users
    [ -n "$(ls "$run/users")" ] || stop_daemons
    ;;
  env)
    echo "DOCKER_HOST=unix://$socket"
    echo "IMAGES=$root/images.json"
    echo "REGISTRY=$registry"
    echo "TREES=$root/trees"
    echo "CRON=$root/cron"
    echo "DOCKER_CONFIG=$root/client"
    ;;
  *) fail "there is no command $command" ;;
  esac
}

main "$@"
