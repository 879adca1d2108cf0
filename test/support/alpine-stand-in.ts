import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { DockerGround } from './docker-ground.ts';

/** Names that docker/postgres/Dockerfile builds on; no registry that has them can be reached. */
const POSTGRES = 'postgres:17-alpine';
const ALPINE = 'alpine:3.22';
const IMAGE = 'cascata-test/core-alpine:17';

/** What of the official image the build and the linker meet: Alpine's layout, busybox's tools, musl's loader by name, and no server. */
const POSTGRES_FILES: Readonly<Record<string, string>> = {
  'etc/passwd': 'root:x:0:0:root:/root:/bin/sh\npostgres:x:70:70::/var/lib/postgresql:/bin/sh\n',
  'etc/group': 'root:x:0:\npostgres:x:70:\n',
  'lib/ld-musl-x86_64.so.1': 'loader',
  'usr/local/bin/pg_config':
    '#!/bin/sh\ncase $1 in --version) echo "PostgreSQL 17.6" ;; --pkglibdir) echo /usr/local/lib/postgresql ;; --sharedir) echo /usr/local/share/postgresql ;; esac\n',
  'usr/local/bin/docker-entrypoint.sh': '#!/bin/sh\necho "server: $*"\nexec sleep 600\n',
  'usr/local/lib/postgresql/plpgsql.so': 'core',
  'usr/local/lib/postgresql/bitcode/plpgsql.index.bc': 'bitcode',
  'usr/local/lib/postgresql/pgxs/Makefile': 'makefile',
  'usr/local/share/postgresql/extension/plpgsql.control': 'core',
  'usr/local/share/postgresql/postgresql.conf.sample': "# shared_preload_libraries = ''\n",
};

const ALPINE_FILES: Readonly<Record<string, string>> = {
  // Lays out what Alpine's package does, and refuses any other wish.
  'sbin/apk':
    '#!/bin/sh\n[ "$*" = "add --no-cache postgresql-pg_cron" ] || exit 1\nmkdir -p /usr/lib/postgresql17 /usr/share/postgresql17/extension\necho cron >/usr/lib/postgresql17/pg_cron.so\necho cron >/usr/share/postgresql17/extension/pg_cron.control\n',
};

/** Builds the `alpine` target of docker/postgres/Dockerfile, word for word, on stand-ins for its two bases. @returns its image, and what takes all of them away */
export async function buildAlpineCore(
  ground: DockerGround,
): Promise<{ readonly image: string; remove(): Promise<void> }> {
  for (const [name, files] of [
    [POSTGRES, POSTGRES_FILES],
    [ALPINE, ALPINE_FILES],
  ] as const)
    await buildStandIn(ground, name, files);
  await ground.docker(
    ...['build', '-q', '-t', IMAGE, '--target', 'alpine', '-f', 'docker/postgres/Dockerfile', '.'],
  );
  return {
    image: IMAGE,
    remove: async () => void (await ground.docker('rmi', '-f', IMAGE, POSTGRES, ALPINE)),
  };
}

async function buildStandIn(
  ground: DockerGround,
  name: string,
  files: Readonly<Record<string, string>>,
): Promise<void> {
  const context = await mkdtemp(join(tmpdir(), 'alpine-'));
  try {
    for (const [path, text] of Object.entries(files)) {
      const file = join(context, 'files', path);
      await mkdir(dirname(file), { recursive: true });
      await writeFile(file, text, { mode: 0o755 });
    }
    await mkdir(join(context, 'files/tmp'), { recursive: true });
    await writeFile(
      join(context, 'Dockerfile'),
      // Busybox makes the rest: the shell and the tools of an Alpine image are nothing else.
      `FROM cascata-test/server:17 AS tools\nFROM scratch\nCOPY --from=tools /usr/bin/busybox /bin/busybox\nCOPY files/ /\nRUN ["/bin/busybox", "mkdir", "-p", "/usr/bin", "/usr/sbin", "/sbin"]\nRUN ["/bin/busybox", "--install", "-s"]\n`,
    );
    await ground.docker('build', '-q', '-t', name, context);
  } finally {
    await rm(context, { recursive: true, force: true });
  }
}
