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
  /** Queries that have to come out true. */
  readonly smokes: readonly string[];
}

/**
 * Tries it all in a core that is thrown away: the real linker, a new cluster, `CREATE EXTENSION` for each, and the smoke queries in new sessions. A crash there hurts
 * nobody. @throws {JobError} with what the linker, the server or the query said
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
    ...rehearsal.smokes.map((smoke, index) => ({
      name: `smoke-${index}.sql`,
      content: `SET search_path = extensions, public;\n${smoke};\n`,
    })),
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

/** Extensions with a schema of their own go there, all others where projects look for them. */
function creationSql({ extensions }: Rehearsal): string {
  const lines = Object.entries(extensions).map(
    ([name, schema]) =>
      `CREATE EXTENSION IF NOT EXISTS "${name}" ${schema === null ? 'SCHEMA extensions' : ''} CASCADE;`,
  );
  return ['SET client_min_messages = warning;', 'CREATE SCHEMA extensions;', ...lines, ''].join('\n');
}

const SCRIPT = `
set -u
fail() { echo "${VERDICT}$1"; exit 1; }
# The server takes a while to be made and to start, and needs nothing of the payload before CREATE EXTENSION.
{
  initdb -D /tmp/data -U postgres -A trust -E UTF8 --locale=C --no-sync --no-instructions >/tmp/initdb.log 2>&1 ||
    { echo "initdb: $(tail -n 3 /tmp/initdb.log)" >/tmp/no-server; exit 1; }
  pg_ctl -D /tmp/data -s -w -t 60 -l /tmp/server.log -o "-c listen_addresses= -c unix_socket_directories=/tmp -c fsync=off -c shared_preload_libraries='$PRELOAD'" start ||
    { echo "the server does not start: $(tail -n 5 /tmp/server.log)" >/tmp/no-server; exit 1; }
} &
server=$!
/usr/local/bin/phantom-linker once >&2
status=$(cat "/var/lib/phantom/state/$BUNDLE.status" 2>/dev/null) || fail 'the linker has said nothing'
case $status in linked*) ;; *) fail "the linker: $status" ;; esac
wait "$server" || fail "$(cat /tmp/no-server)"
sql() { psql -h /tmp -U postgres -d postgres -X -A -t -q -v ON_ERROR_STOP=1 -f "$1" 2>&1; }
answer=$(sql /${PLACE}/create.sql) || fail "$answer$(grep -E 'terminated by signal' /tmp/server.log)"
for smoke in /${PLACE}/smoke-*.sql; do
  [ -e "$smoke" ] || continue
  answer=$(sql "$smoke") || fail "$(tail -n 1 "$smoke"): $answer$(grep -E 'terminated by signal' /tmp/server.log)"
  [ "$answer" = t ] || fail "$(tail -n 1 "$smoke") is not true but $answer"
done
exit 0`;
