#!/bin/sh
# Fetches Debian 13's packages into a place of their own and lays out what goes into the images, below $root/trees. Called by docker-engine.sh.
set -eu

: "${root:?}" "${mirror:?}" "${keyring:?}"
apt=$root/apt
trees=$root/trees

server='busybox-static gosu libc-bin tzdata postgresql-17 postgresql-client-17 libaudit1 libc6 libcap-ng0 libcap2 libcom-err2 libgcc-s1
  libgssapi-krb5-2 libicu76 libk5crypto3 libkeyutils1 libkrb5-3 libkrb5support0 libldap2 liblz4-1 liblzma5 libpam0g libpq5 libreadline8t64
  libsasl2-2 libssl3t64 libstdc++6 libsystemd0 libtinfo6 libuuid1 libxml2 libxslt1.1 libxxhash0 libzstd1 zlib1g'
cron='postgresql-17-cron'
postgis='libpcre2-8-0 postgresql-17-postgis-3 postgresql-17-postgis-3-scripts proj-data libsqlite3-0 libnettle8t64 libhogweed6t64 libgmp10
  libffi8 libbrotli1 libcurl3t64-gnutls libdeflate0 libgeos-c1t64 libgeos3.13.1 libgnutls30t64 libidn2-0 libjbig0 libjpeg62-turbo libjson-c5
  liblerc4 libnghttp2-14 libnghttp3-9 libngtcp2-16 libngtcp2-crypto-gnutls8 libp11-kit0 libproj25 libprotobuf-c1 libpsl5t64 librtmp1
  libsharpyuv0 libssh2-1t64 libtasn1-6 libtiff6 libunistring5 libwebp7'
vector='postgresql-17-pgvector'
pgtap='postgresql-17-pgtap'
pgaudit='postgresql-17-pgaudit'

# apt's own configuration and lists are left alone.
rm -rf "$apt" "$trees"
mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial" "$apt/debs" "$trees"
: >"$apt/status"
echo "deb [arch=amd64 signed-by=$keyring] $mirror trixie main" >"$apt/sources.list"
get() {
  apt-get -qq -o "Dir::Etc::sourcelist=$apt/sources.list" -o Dir::Etc::sourceparts=- -o "Dir::State::lists=$apt/lists" -o "Dir::State::status=$apt/status" \
    -o "Dir::Cache=$apt/cache" -o APT::Sandbox::User=root -o Acquire::Languages=none -o Acquire::Retries=3 "$@"
}
get update
cd "$apt/debs"
# shellcheck disable=SC2086 # names of packages, to be split
get download docker-registry $server $cron $postgis $vector $pgtap $pgaudit

# Unpacks packages into a tree; what no image needs is left out.
unpack() {
  tree=$trees/$1
  shift
  mkdir -p "$tree"
  for package; do
    for deb in "$package"_*.deb; do dpkg-deb --fsys-tarfile "$deb"; done |
      tar -x -C "$tree" -i --exclude='./usr/share/doc*' --exclude='./usr/share/man' --exclude='./usr/share/locale' --exclude='*/bitcode' \
        --exclude='./usr/share/lintian' --exclude='./usr/lib/postgresql/17/lib/pgxs' --exclude='./usr/lib/systemd' --exclude='./etc/init.d'
  done
}
mkdir -p "$root/registry"
dpkg-deb -x docker-registry_*.deb "$root/registry"
# The layout that Debian's base-files gives, so that /lib and /usr/lib are one.
mkdir -p "$trees/server/usr/bin" "$trees/server/usr/sbin" "$trees/server/usr/lib" "$trees/server/usr/lib64"
for folder in bin sbin lib lib64; do ln -s "usr/$folder" "$trees/server/$folder"; done
# shellcheck disable=SC2086
{
  unpack server $server $cron
  unpack postgis $postgis
  unpack vector $vector
  unpack pgtap $pgtap
  unpack pgaudit $pgaudit
}

cd "$trees/server"
mkdir -p etc tmp root run proc sys dev var/run/postgresql var/lib/postgresql/data usr/local/bin docker-entrypoint-initdb.d
chmod 1777 tmp
chown -R 999:999 var/run/postgresql var/lib/postgresql
chmod 0700 var/lib/postgresql/data
cat >etc/passwd <<'USERS'
root:x:0:0:root:/root:/bin/sh
postgres:x:999:999::/var/lib/postgresql:/bin/sh
nobody:x:65534:65534:nobody:/:/usr/sbin/nologin
USERS
printf 'root:x:0:\npostgres:x:999:\nnogroup:x:65534:\n' >etc/group
printf 'passwd: files\ngroup: files\nhosts: files dns\n' >etc/nsswitch.conf
printf '127.0.0.1 localhost\n' >etc/hosts
for name in sh ash ls cat cp mv rm ln mkdir rmdir chmod chown touch date sleep id uname awk sed grep find xargs sort uniq head tail tr cut od \
  cmp sha256sum readlink basename dirname env kill ps wc mktemp flock test tar df dd stat sync printf true false install setsid tee timeout nc; do
  [ -e "usr/bin/$name" ] || ln -s busybox "usr/bin/$name"
done
[ -e usr/bin/busybox ] || ln -s ../../bin/busybox usr/bin/busybox

# The alternatives that the packages' scripts would make. Debian's postgis.control is such a link: copying it naively copies nothing.
mkdir -p "$trees/postgis/etc/alternatives"
cd "$trees/postgis/usr/share/postgresql/17/extension"
for control in *-3.control; do
  name=${control%-3.control}
  ln -s "/usr/share/postgresql/17/extension/$control" "$trees/postgis/etc/alternatives/postgresql-17-$name.control"
  ln -s "/etc/alternatives/postgresql-17-$name.control" "$name.control"
done
rm -rf "$apt"
