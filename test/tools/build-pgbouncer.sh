#!/bin/sh
# Brings the two PgBouncers the tests are run with, below $CASCATA_TOOLS (default: /var/cache/cascata-edge/tools for root,
# ~/.cache/cascata-edge/tools for others):
#   pgbouncer-1.24/pgbouncer   Debian 13's source package, built here
#   pgbouncer-1.18/pgbouncer   Debian 12's package, unpacked: nothing is installed and no service is started
# For Debian 12 on amd64 or arm64. Needs apt-get and the network the first time (some 30 s); afterwards it does nothing. Root is needed only where
# there is no compiler yet. apt's own configuration and lists are left alone: sources, lists and cache are in the same folder.
set -eu

# Root's home is closed to the account that root's PgBouncer runs as.
if [ "$(id -u)" = 0 ]; then cache=/var/cache; else cache=${XDG_CACHE_HOME:-$HOME/.cache}; fi
tools=${CASCATA_TOOLS:-$cache/cascata-edge/tools}
new=$tools/pgbouncer-1.24/pgbouncer
old=$tools/pgbouncer-1.18/pgbouncer
mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

works() { [ -x "$1" ] && "$1" --version 2>/dev/null | grep -q "^PgBouncer $2"; }
fail() {
  echo "build-pgbouncer: $1" >&2
  exit 1
}

if works "$new" 1.24 && works "$old" 1.18; then
  echo "PgBouncer 1.24 and 1.18 are in $tools"
  exit 0
fi
command -v apt-get >/dev/null || fail "there is no apt-get here (Debian 12 is needed); name two programs by PGBOUNCER_BIN (1.24) and PGBOUNCER_OLD_BIN (1.18) instead"
[ -r "$keyring" ] || fail "$keyring is missing (package debian-archive-keyring)"
if ! command -v gcc >/dev/null || ! command -v make >/dev/null || ! command -v pkg-config >/dev/null; then
  [ "$(id -u)" = 0 ] || fail "gcc, make or pkg-config is missing, and only root can install it: apt-get install gcc make libc6-dev pkg-config"
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends gcc make libc6-dev pkg-config >/dev/null
fi

mkdir -p "$tools"
work=$(mktemp -d "$tools/build.XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/debs" "$work/root"
cat >"$work/sources.list" <<LIST
deb [signed-by=$keyring] $mirror bookworm main
deb-src [signed-by=$keyring] $mirror trixie main
LIST
apt() {
  apt-get -qq -o "Dir::Etc::sourcelist=$work/sources.list" -o Dir::Etc::sourceparts=- -o "Dir::State::lists=$work/lists" \
    -o "Dir::Cache=$work/cache" -o APT::Sandbox::User=root -o Acquire::Languages=none -o Acquire::Retries=3 "$@"
}

cd "$work/debs"
apt update || fail "the package lists of $mirror cannot be had"
apt download pgbouncer libevent-dev libevent-2.1-7 libevent-core-2.1-7 libc-ares2 libssl-dev libssl3 ||
  fail "Debian's packages cannot be downloaded from $mirror"
apt source --download-only pgbouncer/trixie || fail "the source of PgBouncer in Debian 13 cannot be downloaded from $mirror"
for deb in *.deb; do dpkg-deb -x "$deb" "$work/root"; done
triplet=$(gcc -print-multiarch 2>/dev/null) || triplet=
[ -d "$work/root/usr/lib/$triplet" ] || fail "the compiler is for ${triplet:-an unknown machine}, the packages are not"
lib=$work/root/usr/lib/$triplet

mkdir -p "$tools/pgbouncer-1.18"
cp "$work/root/usr/sbin/pgbouncer" "$tools/pgbouncer-1.18/pgbouncer.bin"
cp -P "$lib"/libevent*.so.* "$lib"/libcares.so.* "$lib"/libssl.so.* "$lib"/libcrypto.so.* "$tools/pgbouncer-1.18/"
cat >"$old" <<'RUN'
#!/bin/sh
here=$(dirname "$(readlink -f "$0")")
LD_LIBRARY_PATH=$here exec "$here/pgbouncer.bin" "$@"
RUN
chmod 0755 "$old"
works "$old" 1.18 || fail "Debian 12's PgBouncer does not run here: $("$old" --version 2>&1 | head -n 1)"

mkdir "$work/src"
tar -xzf pgbouncer_1.24*.orig.tar.gz -C "$work/src" --strip-components=1
cd "$work/src"
# Linked statically, so that the program needs nothing that is not on every machine.
{
  CPPFLAGS="-I$work/root/usr/include -I$work/root/usr/include/$triplet" LDFLAGS="-L$lib" \
    LIBEVENT_CFLAGS="-I$work/root/usr/include" LIBEVENT_LIBS="$lib/libevent.a" \
    LIBS="$lib/libssl.a $lib/libcrypto.a -ldl -lpthread" \
    ./configure --quiet --without-cares --without-pam --without-systemd --disable-debug
  make -s -j"$(nproc)" pgbouncer
} >"$work/log" 2>&1 || {
  tail -n 30 "$work/log" >&2
  fail "PgBouncer could not be built; the lines above are the end of the build's output"
}
mkdir -p "$(dirname "$new")"
mv pgbouncer "$new"
works "$new" 1.24 || fail "the PgBouncer that was built does not run: $("$new" --version 2>&1 | head -n 1)"
# The tests run it as an account that is not root.
chmod -R a+rX "$tools/pgbouncer-1.24" "$tools/pgbouncer-1.18"
echo "PgBouncer 1.24 and 1.18 are in $tools"
