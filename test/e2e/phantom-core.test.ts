import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type DockerGround, startDockerGround, whyNoDockerGround } from '../support/docker-ground.ts';
import { startNeighbours, UNDISTURBED } from '../support/neighbours.ts';
import { type PhantomCore, startPhantomCore } from '../support/phantom-core.ts';
import {
  linkPayload,
  type PayloadPlaces,
  payloadOf,
  postgisPayload,
  publishPayload,
  waitForStatus,
} from '../support/phantom-payload.ts';

const reason = whyNoDockerGround();
const STARTED = 'SELECT pg_postmaster_start_time()::text AS started';
const GEO = ['postgis', 'postgis_topology'];
const PROCESSES = 'ps | grep -c "[p]hantom-linker watch$" || true';
/** Of the linker itself, not of the loop that starts it anew. */
const LINKER_PID = "ps | awk '/[p]hantom-linker watch$/ { print $1; exit }'";

describe.skipIf(reason !== undefined)(
  `a running core${reason === undefined ? '' : ` [not run: ${reason}]`}`,
  () => {
    let ground: DockerGround;
    let core: PhantomCore;
    let postgis: PayloadPlaces;
    let started: unknown;

    beforeAll(async () => {
      ground = await startDockerGround();
      core = await startPhantomCore(ground);
      postgis = await postgisPayload(ground);
      started = await core.query(STARTED);
    }, 300_000);
    afterAll(async () => {
      await core?.remove();
      await ground?.stop();
    }, 120_000);

    const available = async () =>
      (
        await core.query(
          `SELECT name FROM pg_available_extensions WHERE name IN ('postgis', 'postgis_topology', 'vector', 'pgtap') ORDER BY 1`,
        )
      ).map(({ name }) => name);

    it('has what must be preloaded, and nothing of what is brought later', async () => {
      await core.query('CREATE EXTENSION pg_cron; CREATE EXTENSION pg_stat_statements');
      expect(await core.query('SELECT count(*) > 0 AS counts FROM pg_stat_statements')).toEqual([
        { counts: true },
      ]);
      await core.query(`SELECT cron.schedule('every minute', '* * * * *', 'SELECT 1')`);
      expect(await available()).toEqual([]);
    });

    it('lets the server write neither the volume nor the folders of its own files', async () => {
      for (const folder of [
        '/cascata_extensions',
        '/usr/lib/postgresql/17/lib.core',
        '/usr/share/postgresql/17/extension.core',
      ])
        await expect(core.exec('touch', `${folder}/x`)).rejects.toThrow(/Read-only file system/);
    });

    it('cannot load PostGIS without the libraries it needs', async () => {
      const places = Object.fromEntries(
        Object.entries(postgis).filter(([name]) => !name.startsWith('closure/')),
      );
      expect(await linkPayload(core, { bundle: 'postgis', extensions: GEO, places })).toMatch(/^linked /);
      await expect(core.query('CREATE EXTENSION postgis')).rejects.toThrow(
        'could not load library "/usr/lib/postgresql/17/lib/postgis-3.so": libgeos_c.so.1: cannot open shared object file: No such file or directory',
      );
      await rm(join(core.volumePath, 'manifests/postgis.manifest'));
      await waitForStatus(core, 'postgis', (status) => status === '');
      expect(await available()).toEqual([]);
    });

    it('takes PostGIS, pgvector and pgTAP in while its sessions go on and pgbench runs beside them', async () => {
      const neighbours = await startNeighbours(core);
      const idle = new pg.Client({ connectionString: core.url() });
      await idle.connect();
      try {
        await expect(idle.query('CREATE EXTENSION postgis')).rejects.toThrow(/"postgis" is not available/);

        expect(await linkPayload(core, { bundle: 'postgis', extensions: GEO, places: postgis })).toMatch(
          /^linked /,
        );
        // The session that has already failed.
        await idle.query('CREATE EXTENSION postgis');
        const { rows } = await idle.query(
          `SELECT postgis_full_version() AS version, ST_AsGeoJSON(ST_Transform(ST_SetSRID(ST_Point(13.4, 52.5), 4326), 3857), 0) AS point`,
        );
        expect(rows[0].version).toContain('DATABASE_PATH=/var/lib/phantom/share/proj/proj.db');
        expect(JSON.parse(rows[0].point)).toMatchObject({ type: 'Point', coordinates: [1491681, 6891042] });

        const vector = await payloadOf(ground, {
          tree: 'vector',
          extensions: ['vector'],
          modules: ['vector.so'],
        });
        const pgtap = await payloadOf(ground, { tree: 'pgtap', extensions: ['pgtap'], modules: [] });
        const linked = await Promise.all([
          linkPayload(core, { bundle: 'pgvector', extensions: ['vector'], places: vector }),
          linkPayload(core, { bundle: 'pgtap', extensions: ['pgtap'], places: pgtap }),
        ]);
        expect(linked).toEqual([expect.stringMatching(/^linked /), expect.stringMatching(/^linked /)]);
        await idle.query('CREATE EXTENSION vector; CREATE EXTENSION pgtap');
        expect(
          (await idle.query(`SELECT '[1,2]'::vector <-> '[1,4]' AS far, pgtap_version() > 1 AS tap`)).rows,
        ).toEqual([{ far: 2, tap: true }]);

        const { transactions, ...fared } = await neighbours.end();
        expect(transactions).toBeGreaterThan(0);
        expect(fared).toEqual(UNDISTURBED);
      } finally {
        await idle.end();
      }
      expect(await core.query(STARTED)).toEqual(started);
    }, 180_000);

    it('goes on when its linker is killed, and has another soon', async () => {
      const pid = await core.exec('sh', '-c', LINKER_PID);
      const heartbeat = async () => Number(await core.exec('cat', '/var/lib/phantom/state/heartbeat'));
      const before = await heartbeat();
      await core.exec('kill', '-9', pid);
      await vi.waitFor(
        async () => {
          expect(await core.exec('sh', '-c', LINKER_PID)).not.toBe(pid);
          expect(await heartbeat()).toBeGreaterThan(before);
        },
        { timeout: 30_000, interval: 200 },
      );
      expect(await core.query(STARTED)).toEqual(started);
      const logs = await core.logs();
      expect(logs).toContain('database system is ready to accept connections');
      expect(logs).not.toMatch(/terminated by signal|terminating any other active/);
    });

    it('swaps a payload under a session that has the old one loaded', async () => {
      const session = new pg.Client({ connectionString: core.url() });
      await session.connect();
      try {
        await session.query('SELECT postgis_version()');
        const { 'data/proj/proj.db': _, ...places } = postgis;
        expect(await linkPayload(core, { bundle: 'postgis', extensions: GEO, places })).toMatch(/^linked /);
        expect((await session.query('SELECT ST_IsValid(ST_Point(1, 2)) AS valid')).rows).toEqual([
          { valid: true },
        ]);
        expect((await core.query('SELECT postgis_full_version() AS version'))[0]?.version).not.toContain(
          'DATABASE_PATH',
        );
        await linkPayload(core, { bundle: 'postgis', extensions: GEO, places: postgis });
      } finally {
        await session.end();
      }
      expect(await core.query(STARTED)).toEqual(started);
    });

    it('has its extensions again when the container is made anew', async () => {
      await core.recreate();
      expect((await core.query('SELECT postgis_full_version() AS version'))[0]?.version).toContain(
        'DATABASE_PATH=/var/lib/phantom/share/proj/proj.db',
      );
      started = await core.query(STARTED);
    });

    it('gives a withdrawn extension to no new session, and takes it from none that uses it', async () => {
      const session = new pg.Client({ connectionString: core.url() });
      await session.connect();
      try {
        await session.query(`SELECT '[1]'::vector <-> '[2]'`);
        await rm(join(core.volumePath, 'manifests/pgvector.manifest'));
        await waitForStatus(core, 'pgvector', (status) => status === '');
        expect(await available()).toEqual(['pgtap', 'postgis', 'postgis_topology']);
        expect((await session.query(`SELECT '[1]'::vector <-> '[2]' AS far`)).rows).toEqual([{ far: 1 }]);
        await expect(core.query(`SELECT '[1]'::vector <-> '[2]'`)).rejects.toThrow(
          /could not access file "\$libdir\/vector": No such file or directory/,
        );
      } finally {
        await session.end();
      }
      await core.query('DROP EXTENSION vector');
      expect(await core.query(STARTED)).toEqual(started);
    });

    it('refuses what does not fit, and says so in words', async () => {
      const wrong = await payloadOf(ground, {
        tree: 'foreign-script',
        extensions: ['odd', 'pg_trgm'],
        modules: [],
      });
      expect(await linkPayload(core, { bundle: 'odd', extensions: ['odd'], places: wrong })).toBe(
        'refused pg_trgm--9.9.sql belongs to none of its extensions',
      );
      await expect(core.query(`CREATE EXTENSION pg_trgm VERSION '9.9'`)).rejects.toThrow(
        /no installation script/,
      );
    });

    // Cores of their own from here on, beside each other.
    it.concurrent('refuses a bundle as a whole when there is no room for its links, and the server goes on', async () => {
      const small = await startPhantomCore(ground, {
        options: ['--tmpfs', '/var/lib/phantom:uid=999,gid=999,mode=0755,nr_inodes=450'],
      });
      try {
        expect(await linkPayload(small, { bundle: 'postgis', extensions: GEO, places: postgis })).toMatch(
          /^refused the links cannot be made: .*No space left on device/,
        );
        await expect(small.query('CREATE EXTENSION postgis')).rejects.toThrow(/"postgis" is not available/);
        const pgtap = await payloadOf(ground, { tree: 'pgtap', extensions: ['pgtap'], modules: [] });
        expect(await linkPayload(small, { bundle: 'pgtap', extensions: ['pgtap'], places: pgtap })).toMatch(
          /^linked /,
        );
        await small.query('CREATE EXTENSION pgtap');
      } finally {
        await small.remove();
      }
    });

    it.concurrent('run as root without an init, it stays above the server and stops cleanly', async () => {
      const plain = await startPhantomCore(ground, { isPlain: true });
      try {
        await publishPayload(plain, { bundle: 'postgis', extensions: GEO, places: postgis });
        await waitForStatus(plain, 'postgis', (status) => status.startsWith('linked'));
        await plain.query('CREATE EXTENSION postgis');
        const since = await plain.query(STARTED);
        await plain.exec('kill', '-9', await plain.exec('sh', '-c', LINKER_PID));
        await vi.waitFor(async () => expect(await plain.exec('sh', '-c', PROCESSES)).toBe('1'), {
          timeout: 30_000,
          interval: 200,
        });
        expect(await plain.query(STARTED)).toEqual(since);
        // The server's user owns none of it.
        await expect(
          plain.exec('gosu', 'postgres', 'touch', '/usr/lib/postgresql/17/lib.core/x'),
        ).rejects.toThrow(/Permission denied/);
        await ground.docker('stop', '--time', '30', plain.container);
        expect(await ground.docker('inspect', '-f', '{{.State.ExitCode}}', plain.container)).toBe('0');
        expect(await plain.logs()).toContain('database system is shut down');
      } finally {
        await plain.remove();
      }
    });

    it.concurrent('starts without a key and without a volume, and says what is missing', async () => {
      const bare = await startPhantomCore(ground, {
        options: ['-e', 'PHANTOM_KEY_FILE=/nowhere', '-e', 'PHANTOM_VOLUME=/nothing'],
      });
      try {
        expect(await bare.query('SELECT 1 AS one')).toEqual([{ one: 1 }]);
      } finally {
        await bare.remove();
      }
    });
  },
);
