import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { VARIABLE_NAMES } from '../../gateway/platform/config-variables.ts';
import { parseComposeFile, splitVolume } from '../compose/compose-file.ts';
import { whyNoDocker } from '../compose/docker-engine.ts';
import {
  copiedFromContext,
  copiesFrom,
  lastInstruction,
  parseDockerfile,
  stageChain,
} from '../compose/dockerfile.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const read = (path: string) => readFile(join(ROOT, path), 'utf8');

// Refuses a service without health check, user, read-only file system, dropped capabilities and the rest; see Service there.
const compose = parseComposeFile(await read('docker-compose.yml'));
const services = Object.entries(compose.services);
const OURS = ['gateway', 'admin-worker'];
const DOCKERFILES = ['docker/Dockerfile', 'docker/pgbouncer/Dockerfile', 'docker/postgres/Dockerfile'];
const dockerfiles = await Promise.all(
  DOCKERFILES.map(async (path) => ({ path, stages: parseDockerfile(await read(path)) })),
);
const results = Object.values(compose.services).flatMap(({ build }) => build?.target ?? []);
const PINNED = /^[a-z0-9/._-]+:(?!latest$)[A-Za-z0-9._-]*\d[A-Za-z0-9._-]*$/;

describe('docker-compose.yml', () => {
  it('has the four services of the stack', () => {
    expect(Object.keys(compose.services).sort()).toEqual(['admin-worker', 'db', 'gateway', 'pgbouncer']);
  });

  it.each(services)('runs %s as a numbered user that is not root', (_, { user }) => {
    expect(user).toMatch(/^[1-9]\d*:[1-9]\d*$/);
  });

  it.each(services)('pins the image of %s to a tag', (_, { image }) => {
    expect(image).toMatch(PINNED);
  });

  it.each(services)('keeps secrets out of the environment of %s', (_, { environment = {}, secrets = [] }) => {
    for (const [name, value] of Object.entries(environment)) {
      if (/PASSWORD|TOKEN|SECRET|KEY/.test(name)) expect(name).toMatch(/_FILE$/);
      if (name.endsWith('_FILE')) expect(secrets.map((secret) => `/run/secrets/${secret}`)).toContain(value);
      if (URL.canParse(value)) expect(new URL(value).password).toBe('');
    }
  });

  it.each(services)(
    'gives %s only secrets that exist and that it uses',
    (_, { environment = {}, secrets = [] }) => {
      expect(Object.keys(compose.secrets)).toEqual(expect.arrayContaining([...secrets]));
      expect(Object.values(environment)).toEqual(
        expect.arrayContaining(secrets.map((secret) => `/run/secrets/${secret}`)),
      );
    },
  );

  it('mounts the container engine’s socket nowhere', async () => {
    expect(await read('docker-compose.yml')).not.toMatch(/docker\.sock|containerd\.sock|DOCKER_HOST/);
  });

  it('gives the gateway no volume, no superuser’s DSN and no admin token', () => {
    const { volumes, secrets } = compose.services.gateway!;
    expect({ volumes, secrets }).toEqual({ volumes: undefined, secrets: ['master_key'] });
  });

  it('keeps PostgreSQL and PgBouncer in a network without a way out', () => {
    expect(compose.networks.back).toEqual({ internal: true });
    for (const name of ['db', 'pgbouncer']) {
      const { networks, ports } = compose.services[name]!;
      expect({ networks, ports }).toEqual({ networks: ['back'], ports: undefined });
    }
  });

  it('lets PostgreSQL read the extensions that are brought in, and write nothing but memory and its data', () => {
    const { volumes = [], tmpfs, environment = {} } = compose.services.db!;
    expect(volumes.map((volume) => splitVolume(volume))).toEqual([
      { source: 'db-data', target: '/var/lib/postgresql/data', mode: undefined },
      { source: 'extension_payloads', target: '/cascata_extensions', mode: 'ro' },
    ]);
    expect(tmpfs.map((mount) => mount.split(':')[0])).toEqual([
      '/tmp',
      '/var/lib/phantom',
      '/var/run/postgresql',
    ]);
    expect(environment.PHANTOM_KEY_FILE).toBe('/run/secrets/phantom_key');
  });

  it('publishes the admin worker to this machine alone', () => {
    expect(compose.services['admin-worker']!.ports!.every((port) => port.startsWith('127.0.0.1:'))).toBe(
      true,
    );
  });

  it('mounts only what is there: named volumes, and files read-only', () => {
    for (const volume of services.flatMap(([, { volumes = [] }]) => volumes)) {
      const { source, mode } = splitVolume(volume);
      if (source.startsWith('./')) {
        expect([existsSync(join(ROOT, source)), mode]).toEqual([true, 'ro']);
      } else {
        expect(Object.keys(compose.volumes)).toContain(source);
      }
    }
  });

  it('sets only variables that the processes read', async () => {
    const documented = await read('docs/configuration.md');
    for (const name of OURS.flatMap((service) => Object.keys(compose.services[service]!.environment!))) {
      expect(VARIABLE_NAMES).toContain(name);
      expect(documented).toContain(name.replace(/_FILE$/, ''));
    }
    const script = await read('docker/pgbouncer/start.sh');
    for (const name of Object.keys(compose.services.pgbouncer!.environment!))
      expect(script).toContain(`\${${name}`);
  });

  it('builds from stages that exist', () => {
    for (const { build } of Object.values(compose.services)) {
      if (build === undefined) continue;
      const { stages } = dockerfiles.find(({ path }) => path === build.dockerfile)!;
      if (build.target !== undefined) expect(stages.map(({ name }) => name)).toContain(build.target);
    }
  });
});

describe.each(dockerfiles)('$path', ({ stages }) => {
  const names = stages.map(({ name }) => name);
  const images = stages.map(({ base }) => base).filter((base) => !names.includes(base));
  const finals = stages.filter((stage) => results.includes(stage.name ?? '') || stages.length === 1);

  it('pins its base images to a tag', () => {
    for (const image of images) expect(image).toMatch(PINNED);
  });

  it('ends as a numbered user that is not root, with a health check', () => {
    expect(finals.length).toBeGreaterThan(0);
    for (const final of finals) {
      const chain = stageChain(stages, final);
      expect(lastInstruction(chain, 'USER')?.words[0]).toMatch(/^[1-9]\d*:[1-9]\d*$/);
      expect(lastInstruction(chain, 'HEALTHCHECK')).toBeDefined();
    }
  });

  it('copies files that exist and reach the builder', async () => {
    const allowed = (await read('.dockerignore')).split('\n').filter((line) => line.startsWith('!'));
    for (const source of copiedFromContext(stages)) {
      expect([source, existsSync(join(ROOT, source))]).toEqual([source, true]);
      expect(allowed).toContain(`!${source.split('/')[0]}`);
    }
  });

  it('holds no secret', () => {
    const settings = stages
      .flatMap(({ instructions }) => instructions)
      .filter(({ keyword }) => keyword === 'ENV' || keyword === 'ARG');
    for (const { words } of settings) expect(words.join(' ')).not.toMatch(/PASSWORD|TOKEN|SECRET|KEY/);
  });
});

describe('docker/Dockerfile', () => {
  it('brings pg_dump and pg_restore of the core’s version to the admin worker, and nowhere else', () => {
    const major = /postgres:(\d+)/.exec(
      dockerfiles.flatMap(({ stages }) => stages).find(({ name }) => name === 'alpine')?.base ?? '',
    )?.[1];
    const having = dockerfiles
      .flatMap(({ stages }) => stages)
      .filter(({ instructions }) =>
        instructions.some(({ words }) => words.includes(`postgresql-client-${major}`)),
      );
    expect(having.map(({ name }) => name)).toEqual(['admin-worker']);
  });
});

describe('docker/make-secrets.sh', () => {
  it('makes every secret once', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'secrets-'));
    try {
      const make = () => spawnSync('sh', [join(ROOT, 'docker/make-secrets.sh')], { cwd: folder });
      const content = async () => {
        const names = (await readdir(join(folder, 'secrets'))).filter((name) => name !== '.gitignore').sort();
        return Object.fromEntries(
          await Promise.all(
            names.map(async (name) => [name, await readFile(join(folder, 'secrets', name), 'utf8')]),
          ),
        );
      };
      expect(make().status).toBe(0);
      const first = await content();
      expect(Object.keys(first)).toEqual(
        Object.values(compose.secrets)
          .map(({ file }) => file.replace('./secrets/', ''))
          .sort(),
      );
      expect(first.master_key.length).toBeGreaterThanOrEqual(32);
      expect(new URL(first.control_database_url).password).toBe(first.postgres_password);
      expect(make().status).toBe(0);
      expect(await content()).toEqual(first);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});

/** What has to be had from elsewhere for the images that the stack is made of. */
const bases = dockerfiles.flatMap(({ stages }) => {
  const names = stages.map(({ name }) => name);
  const wanted = stages.filter(({ name }) => name === undefined || results.includes(name));
  const copied = stages.filter(
    ({ name }) => name !== undefined && wanted.some((one) => copiesFrom(one, name)),
  );
  return [...wanted, ...copied]
    .flatMap((stage) => stageChain(stages, stage).map(({ base }) => base))
    .filter((base) => !names.includes(base));
});
const noDocker = whyNoDocker([...new Set(bases)]);
if (noDocker !== undefined)
  process.stderr.write(`\nThe Compose stack is NOT built and started here: ${noDocker}.\n\n`);

describe.skipIf(noDocker !== undefined)(
  `docker compose up${noDocker === undefined ? '' : ` [not run: ${noDocker}]`}`,
  () => {
    let folder: string;
    const project = `cascata-test-${process.pid}`;
    const docker = (...args: string[]) =>
      spawnSync('docker', ['compose', '-p', project, ...args], {
        cwd: folder,
        encoding: 'utf8',
        env: { ...process.env, GATEWAY_PUBLISH: '127.0.0.1:0', ADMIN_PUBLISH: '0' },
      });

    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'compose-'));
      await cp(ROOT, folder, {
        recursive: true,
        filter: (source) => !/[/\\](node_modules|dist|\.git|\.data|secrets)$/.test(source),
      });
      spawnSync('sh', ['docker/make-secrets.sh'], { cwd: folder });
    });

    afterAll(async () => {
      docker('down', '--volumes', '--remove-orphans');
      await rm(folder, { recursive: true, force: true });
    });

    it('brings every service to health', () => {
      const { status, stderr } = docker('up', '--build', '--wait', '--wait-timeout', '300');
      expect([status, status === 0 ? '' : stderr]).toEqual([0, '']);
    }, 900_000);
  },
);
