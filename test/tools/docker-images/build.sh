#!/bin/sh
# Makes the images out of the trees that unpack.sh laid out and pushes those that are to be pulled; writes images.json. Called by docker-engine.sh.
set -eu

: "${root:?}" "${registry:?}"
trees=$root/trees
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
docker=/usr/bin/docker
scripts=usr/share/postgresql/17/extension
modules=usr/lib/postgresql/17/lib
libraries=usr/lib/x86_64-linux-gnu

# The stand-in for the official Debian image, under its name: the repository's own Dockerfile then builds on it as it is.
install -m 0755 "$here/entrypoint.sh" "$trees/server/usr/local/bin/docker-entrypoint.sh"
tar -C "$trees/server" -c . | $docker import \
  -c 'ENV PATH=/usr/lib/postgresql/17/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' \
  -c 'ENV PGDATA=/var/lib/postgresql/data' -c 'ENTRYPOINT ["docker-entrypoint.sh"]' -c 'CMD ["postgres"]' - postgres:17-trixie >/dev/null
$docker tag postgres:17-trixie cascata-test/server:17

# An image of an extension as its makers publish it: the official server, and the files on top. A folder of $trees that is named adds its files.
extension_image() {
  name=$1
  shift
  context=$root/context
  rm -rf "$context"
  mkdir -p "$context/files"
  for tree; do cp -a "$trees/$tree/." "$context/files/"; done
  printf 'FROM cascata-test/server:17\nCOPY files/ /\n' >"$context/Dockerfile"
  # The builder's cache takes two links to different places for one.
  $docker build -q --no-cache -t "$registry/$name:17" "$context" >/dev/null
  $docker push -q "$registry/$name:17" >/dev/null
  names="$names $name"
}
names=

extension_image postgis postgis
extension_image pgvector vector
extension_image pgtap pgtap
extension_image pgaudit pgaudit

# pgvector as its makers would publish the next version: another module, one function more, and the way there from the version before.
next=$trees/pgvector-next
mkdir -p "$next/$scripts" "$next/$modules"
version=$(sed -n "s/^default_version = '\(.*\)'/\1/p" "$trees/vector/$scripts/vector.control")
sed "s/^default_version = .*/default_version = '0.99.0'/" "$trees/vector/$scripts/vector.control" >"$next/$scripts/vector.control"
more='CREATE FUNCTION vector_next() RETURNS int LANGUAGE sql IMMUTABLE AS $$ SELECT 99 $$;'
cp "$trees/vector/$scripts/vector--$version.sql" "$next/$scripts/vector--0.99.0.sql"
echo "$more" >>"$next/$scripts/vector--0.99.0.sql"
echo "$more" >"$next/$scripts/vector--$version--0.99.0.sql"
cp "$trees/vector/$modules/vector.so" "$next/$modules/vector.so"
echo next >>"$next/$modules/vector.so"
extension_image pgvector-next pgvector-next

# The same for an extension of SQL alone.
next_tap=$trees/pgtap-next
mkdir -p "$next_tap/$scripts"
tap_version=$(sed -n "s/^default_version = '\(.*\)'/\1/p" "$trees/pgtap/$scripts/pgtap.control")
sed "s/^default_version = .*/default_version = '9.9.9'/" "$trees/pgtap/$scripts/pgtap.control" >"$next_tap/$scripts/pgtap.control"
cp "$trees/pgtap/$scripts/pgtap--$tap_version.sql" "$next_tap/$scripts/pgtap--9.9.9.sql"
echo 'SELECT 1;' >"$next_tap/$scripts/pgtap--$tap_version--9.9.9.sql"
extension_image pgtap-next pgtap-next

# A next version whose module has lost a function that the version before it calls.
lost=$trees/pgvector-lost
mkdir -p "$lost/$scripts" "$lost/$modules"
cp "$next/$scripts"/* "$lost/$scripts/"
LC_ALL=C sed 's/pg_finfo_vector_norm/pg_finfo_vector_gone/' "$next/$modules/vector.so" >"$lost/$modules/vector.so"
extension_image pgvector-lost pgvector-lost

# What must be refused, each with one fault. Files of $1 for a new image are laid out in $trees/$1.
bad() {
  mkdir -p "$trees/$1/$scripts" "$trees/$1/$modules" "$trees/$1/$libraries"
}
vector_scripts() { cp "$trees/vector/$scripts"/vector.control "$trees/vector/$scripts"/vector--[0-9].[0-9].[0-9].sql "$trees/$1/$scripts/"; }
# Writes bytes (octal escapes) into a copy of vector.so at an offset.
patch_vector() {
  cp "$trees/vector/$modules/vector.so" "$trees/$1/$modules/vector.so"
  # shellcheck disable=SC2059 # escapes
  printf "$3" | dd of="$trees/$1/$modules/vector.so" bs=1 seek="$2" conv=notrunc status=none
}

# The magic block: six int32 before the text "PostgreSQL", the second of them the version. 1500 = 0x05dc.
bad wrong-major
vector_scripts wrong-major
text=$(LC_ALL=C grep -abo 'PostgreSQL' "$trees/vector/$modules/vector.so" | while IFS=: read -r at _; do
  version=$(od -An -tu4 -j $((at - 20)) -N 4 "$trees/vector/$modules/vector.so" | tr -d ' ')
  [ "$version" != 1700 ] || { echo "$at"; break; }
done)
patch_vector wrong-major $((text - 20)) '\334\005\000\000'
extension_image wrong-major wrong-major

# e_machine: 183 is aarch64.
bad wrong-arch
vector_scripts wrong-arch
patch_vector wrong-arch 18 '\267\000'
extension_image wrong-arch wrong-arch

bad truncated
vector_scripts truncated
head -c 50000 "$trees/vector/$modules/vector.so" >"$trees/truncated/$modules/vector.so"
extension_image truncated truncated

bad no-library
cp "$trees/postgis/$scripts/postgis-3.control" "$trees/no-library/$scripts/postgis.control"
cp "$trees/postgis/$scripts/postgis--3.5.2.sql" "$trees/no-library/$scripts/"
cp "$trees/postgis/$modules/postgis-3.so" "$trees/no-library/$modules/"
extension_image no-library no-library

# An extension of another name that needs a library which postgis brings too, with other bytes.
bad same-soname
cp "$trees/postgis/$libraries"/lib*.so.* "$trees/same-soname/$libraries/"
cp "$trees/postgis/$modules/postgis_topology-3.so" "$trees/same-soname/$modules/outline.so"
for library in "$trees/same-soname/$libraries"/libgeos_c.so.1.*; do [ -L "$library" ] || printf 'other' >>"$library"; done
printf "default_version = '1.0'\nmodule_pathname = '\$libdir/outline'\nrelocatable = true\n" >"$trees/same-soname/$scripts/outline.control"
echo 'CREATE FUNCTION outline() RETURNS int LANGUAGE sql AS $$ SELECT 1 $$;' >"$trees/same-soname/$scripts/outline--1.0.sql"
extension_image same-soname same-soname

# Extensions of SQL alone, with one fault each.
sql_extension() {
  bad "$1"
  printf "default_version = '1.0'\nrelocatable = true\n%s" "$2" >"$trees/$1/$scripts/odd.control"
  echo 'CREATE FUNCTION odd() RETURNS int LANGUAGE sql AS $$ SELECT 1 $$;' >"$trees/$1/$scripts/odd--1.0.sql"
}
sql_extension odd-name ''
# shellcheck disable=SC2016 # the name is to hold it
: >"$trees/odd-name/$scripts/"'odd--1.0--$(id).sql'
: >"$trees/odd-name/$scripts/odd--1.0--..2.sql"
extension_image odd-name odd-name

sql_extension trusted 'trusted = true
'
extension_image trusted trusted

sql_extension directory "directory = '/tmp'
"
extension_image directory directory

sql_extension module-path "module_pathname = '/tmp/evil'
"
extension_image module-path module-path

sql_extension fails ''
echo 'SELECT 1/0;' >>"$trees/fails/$scripts/odd--1.0.sql"
extension_image fails fails

# A script of an extension that the core ships, and that any owner of a database may create.
sql_extension foreign-script ''
echo 'CREATE ROLE evil SUPERUSER LOGIN;' >"$trees/foreign-script/$scripts/pg_trgm--9.9.sql"
extension_image foreign-script foreign-script

# A link that climbs above the image's root; Docker resolves it inside.
sql_extension escaping-link ''
mv "$trees/escaping-link/$scripts/odd--1.0.sql" "$trees/escaping-link/usr/odd.sql"
ln -s /../../../../usr/odd.sql "$trees/escaping-link/$scripts/odd--1.0.sql"
extension_image escaping-link escaping-link

sql_extension dangling-link ''
rm "$trees/dangling-link/$scripts/odd--1.0.sql"
ln -s /nowhere.sql "$trees/dangling-link/$scripts/odd--1.0.sql"
extension_image dangling-link dangling-link

# Files where the volume is mounted: an empty volume would be filled with them.
sql_extension in-volume ''
mkdir -p "$trees/in-volume/cascata_extensions/manifests"
echo evil >"$trees/in-volume/cascata_extensions/manifests/evil.manifest"
extension_image in-volume in-volume

# By digest, as the registry names them. They are removed here, so that using one means pulling it.
{
  echo '{'
  separator=
  for name in $names; do
    printf '%s  "%s": "%s"' "$separator" "$name" "$($docker image inspect -f '{{index .RepoDigests 0}}' "$registry/$name:17")"
    separator=',
'
  done
  printf '\n}\n'
} >"$root/images.json"
for name in $names; do $docker rmi -f "$($docker image inspect -f '{{.Id}}' "$registry/$name:17")" >/dev/null; done
rm -rf "$root/context"
# The payloads of the linker's own tests are made from these; the rest is in the images.
rm -rf "$trees/server"
