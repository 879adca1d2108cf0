import type { ExtensionUse } from '../extensions/extension-users.ts';
import { JobError } from '../jobs/job.ts';
import { EngineError, withContainer } from './container-engine.ts';
import { tarOf, type VolumeOptions } from './payload-volume.ts';

const PLACE = 'rehearsal';
const TIMEOUT_MS = 120_000;
/** Begins the line that says why; what comes before it is for the log. */
const VERDICT = 'REHEARSAL: ';

export interface Rehearsal {
  readonly bundle: string;
  /** All that would be published, by bundle: the new one among them. */
  readonly manifests: ReadonlyMap<string, string>;
  readonly key: string;
  /** The live server's `shared_preload_libraries`. */
  readonly preloaded: readonly string[];
  /** With the schema that their control files fix; `null`: none. */
  readonly extensions: Readonly<Record<string, string | null>>;
  /** Queries that have to come out true; with the extension that they try, where it is one alone. */
  readonly smokes: readonly { readonly extension?: string; readonly smoke: string }[];
  /** Versions to create instead of those that the files give by default, by extension. */
  readonly versions?: Readonly<Record<string, string>>;
  /** What there is now, where the bundle is published already: it has to go on with the new files. */
  readonly before?: RehearsedChange | undefined;
}

export interface RehearsedChange {
  /** The bundle's manifest until now. */
  readonly manifest: string;
  /** What databases have of it. */
  readonly uses: readonly ExtensionUse[];
  /** The one that is to be updated. */
  readonly updating?: { readonly name: string; readonly version: string } | undefined;
}

/** Of databases that have the same versions one is tried; beyond this many the rest is not. */
const MAX_BEFORE = 8;

/**
 * Tries it all in a core that is thrown away: the real linker, a new cluster, `CREATE EXTENSION` for each, and the smoke queries in new sessions. Where files are changed,
 * what databases have is made with the old files first; with the new ones every function has to be found, the smoke queries have to be true, and the update has to
 * work. A crash there hurts nobody. @throws {JobError} with what the linker, the server or the query said
 */
export async function rehearse(options: VolumeOptions, rehearsal: Rehearsal): Promise<void> {
  const { engine, image, volume, jobId, signal } = options;
  const entries = [
    { name: 'key', content: rehearsal.key },
    { name: 'create.sql', content: creationSql(rehearsal) },
    ...[...rehearsal.manifests].map(([bundle, text]) => ({
      name: `manifests/${bundle}.manifest`,
      content: text,
    })),
    ...rehearsal.smokes.map(({ smoke }, index) => ({ name: `smoke-${index}.sql`, content: smokeSql(smoke) })),
    ...beforeEntries(rehearsal),
  ];
  const spec = {
    image,
    jobId,
    purpose: 'rehearse',
    asImageUser: true,
    volume: { name: volume, isWritable: false },
    tmpfs: ['/tmp'],
    env: {
      BUNDLE: rehearsal.bundle,
      PRELOAD: rehearsal.preloaded.join(','),
      PHANTOM_MANIFESTS: `/${PLACE}/manifests`,
      PHANTOM_KEY_FILE: `/${PLACE}/key`,
    },
    script: SCRIPT,
  };
  await withContainer(engine, spec, async (id) => {
    await engine.writeArchive(id, '/', tarOf(entries, PLACE));
    const { status, output } = await engine.run(id, { signal, timeoutMs: TIMEOUT_MS });
    if (status === 0) return;
    // Its script always says why. Killed from outside, or out of memory, it is tried again.
    if (!output.includes(VERDICT))
      throw new EngineError(`The rehearsal was cut off with status ${status}: ${output.slice(-1_000)}`);
    const verdict = output.slice(output.lastIndexOf(VERDICT)).replace(VERDICT, '').trim();
    throw new JobError(`The rehearsal failed: ${verdict.slice(0, 2_000)}`, {
      code: 'rehearsal',
      hint: 'It ran in a server that was thrown away; the live one was not touched',
    });
  });
}

function smokeSql(smoke: string): string {
  return `SET search_path = extensions, public;\n${smoke};\n`;
}

/** Extensions with a schema of their own go there, all others where projects look for them. */
function creationSql({ extensions, versions = {} }: Rehearsal): string {
  return createAll(
    Object.entries(extensions).map(([name, schema]) => ({ name, schema, version: versions[name] })),
  );
}

interface Creation {
  readonly name: string;
  readonly schema: string | null;
  readonly version: string | undefined;
}

function createAll(creations: readonly Creation[]): string {
  const lines = creations.map(
    ({ name, schema, version }) =>
      `CREATE EXTENSION IF NOT EXISTS "${name}" ${schema === null ? 'SCHEMA extensions' : ''} ${version === undefined ? '' : `VERSION '${version}'`} CASCADE;`,
  );
  return ['SET client_min_messages = warning;', 'CREATE SCHEMA extensions;', ...lines, ''].join('\n');
}

/** For each combination of versions that databases have: how it is made, how it is tried, how it is updated. */
function beforeEntries({ before, extensions, smokes, versions = {} }: Rehearsal) {
  if (before === undefined) return [];
  const { manifest, uses, updating } = before;
  const databases = Map.groupBy(uses, ({ database }) => database);
  const combinations = new Map(
    [...databases.values()].map((has) => [has.map(({ name, version }) => `${name} ${version}`).join(), has]),
  );
  const isUpdating = ({ name, version }: ExtensionUse) =>
    name === updating?.name && version === updating.version;
  const entries = [...combinations.values()]
    .toSorted((a, b) => Number(b.some(isUpdating)) - Number(a.some(isUpdating)))
    .slice(0, MAX_BEFORE)
    .flatMap((has, index) => {
      const names = new Set(has.map(({ name }) => name));
      const folder = `before/${index}`;
      return [
        {
          name: `${folder}/make.sql`,
          content: createAll(
            has.map(({ name, version }) => ({ name, version, schema: extensions[name] ?? null })),
          ),
        },
        ...smokes
          .filter(({ extension }) => extension !== undefined && names.has(extension))
          .map(({ smoke }, at) => ({ name: `${folder}/smoke-${at}.sql`, content: smokeSql(smoke) })),
        {
          name: `${folder}/update.sql`,
          content: [...names]
            .map((name) => {
              const version = versions[name];
              return `ALTER EXTENSION "${name}" UPDATE${version === undefined ? '' : ` TO '${version}'`};\n`;
            })
            .join(''),
        },
        ...(has.some(isUpdating) ? [{ name: `${folder}/must`, content: '' }] : []),
      ];
    });
  return [
    { name: 'previous', content: manifest },
    { name: 'functions.sql', content: FUNCTIONS_SQL },
    ...entries,
  ];
}

/** Looks every function of a module up in the file, as the server would at its first call. */
const FUNCTIONS_SQL = `DO $$ BEGIN
  PERFORM pg_catalog.fmgr_c_validator(p.oid) FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_language l ON l.oid = p.prolang WHERE l.lanname = 'c';
END $$;
`;

const SCRIPT = `
set -u
fail() { echo "${VERDICT}$1"; exit 1; }
rehearsal=/${PLACE}
# The server takes a while to be made and to start, and needs nothing of the payload before CREATE EXTENSION.
{
  initdb -D /tmp/data -U postgres -A trust -E UTF8 --locale=C --no-sync --no-instructions >/tmp/initdb.log 2>&1 ||
    { echo "initdb: $(tail -n 3 /tmp/initdb.log)" >/tmp/no-server; exit 1; }
  pg_ctl -D /tmp/data -s -w -t 60 -l /tmp/server.log -o "-c listen_addresses= -c unix_socket_directories=/tmp -c fsync=off -c shared_preload_libraries='$PRELOAD'" start ||
    { echo "the server does not start: $(tail -n 5 /tmp/server.log)" >/tmp/no-server; exit 1; }
} &
server=$!
link() {
  /usr/local/bin/phantom-linker once >&2
  status=$(cat "/var/lib/phantom/state/$BUNDLE.status" 2>/dev/null) || fail 'the linker has said nothing'
  case $status in linked*) ;; *) fail "the linker: $status" ;; esac
}
sql() { psql -h /tmp -U postgres -d "$1" -X -A -t -q -v ON_ERROR_STOP=1 -f "$2" 2>&1; }
crash() { grep -E 'terminated by signal' /tmp/server.log; }
smoke() {
  for smoke in "$2"/smoke-*.sql; do
    [ -e "$smoke" ] || continue
    answer=$(sql "$1" "$smoke") || fail "$3$(tail -n 1 "$smoke"): $answer$(crash)"
    [ "$answer" = t ] || fail "$3$(tail -n 1 "$smoke") is not true but $answer"
  done
}
if [ -e $rehearsal/previous ]; then
  # First as it is now.
  PHANTOM_MANIFESTS=/tmp/manifests
  mkdir $PHANTOM_MANIFESTS && cp $rehearsal/manifests/*.manifest $PHANTOM_MANIFESTS/ && cp $rehearsal/previous "$PHANTOM_MANIFESTS/$BUNDLE.manifest" ||
    fail 'the manifests could not be read'
  export PHANTOM_MANIFESTS
fi
link
wait "$server" || fail "$(cat /tmp/no-server)"
if [ -e $rehearsal/previous ]; then
  for before in $rehearsal/before/*; do
    [ -d "$before" ] || continue
    createdb -h /tmp -U postgres "before_\${before##*/}"
    # Versions that came by updates from older files may be beyond making anew.
    answer=$(sql "before_\${before##*/}" "$before/make.sql") || echo "not tried: $answer" >"/tmp/skipped_\${before##*/}"
  done
  cp "$rehearsal/manifests/$BUNDLE.manifest" $PHANTOM_MANIFESTS/.next && mv $PHANTOM_MANIFESTS/.next "$PHANTOM_MANIFESTS/$BUNDLE.manifest"
  link
  for before in $rehearsal/before/*; do
    name=before_\${before##*/}
    if [ ! -d "$before" ] || [ -e "/tmp/skipped_\${before##*/}" ]; then continue; fi
    answer=$(sql "$name" $rehearsal/functions.sql) || fail "what databases have would not work with the new files: $answer$(crash)"
    smoke "$name" "$before" 'with the new files, before an update: '
    if answer=$(sql "$name" "$before/update.sql"); then
      smoke "$name" "$before" 'after the update: '
    elif [ -e "$before/must" ]; then
      fail "the update: $answer$(crash)"
    fi
  done
fi
answer=$(sql postgres $rehearsal/create.sql) || fail "$answer$(crash)"
smoke postgres $rehearsal ''
exit 0`;
