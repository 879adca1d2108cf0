import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { loadLauncherConfig } from '../../../gateway/platform/config.ts';
import {
  type DockerGround,
  startDockerGround,
  whyNoDockerGround,
} from '../../../test/support/docker-ground.ts';
import { startProcess } from '../../../test/support/processes.ts';
import { openPhantom } from '../../containers/open-phantom.ts';
import { pinImages } from '../../pinning/pin-images.ts';
import { readPins } from '../../pinning/pinned-images.ts';
import { makeImage } from '../support/made-images.ts';

let dataDir: string;
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'pins-'));
  return () => rm(dataDir, { recursive: true, force: true });
});

/** What a runner that was configured like this would use. */
async function imagesOfRunner(images: Readonly<Record<string, string>> = {}) {
  const settings = loadLauncherConfig(
    { DATA_DIR: dataDir, CONTAINER_ENGINE: 'unix:///nowhere', PHANTOM_KEY: 'k'.repeat(32) },
    { extensions: { images } },
  );
  const opened = await openPhantom(settings);
  if (!('phantom' in opened)) throw new Error(opened.phantomOff);
  return opened.phantom.images;
}

describe.skipIf(whyNoDockerGround() !== undefined)('with a real registry', { timeout: 120_000 }, () => {
  let ground: DockerGround;
  beforeAll(async () => {
    ground = await startDockerGround();
  }, 120_000);
  afterAll(() => ground?.stop());

  async function command(...words: readonly string[]) {
    const { ended, output } = startProcess([process.execPath, 'admin-worker/pinning/main.ts', ...words], {
      DATA_DIR: dataDir,
    });
    return { status: await ended, ...output };
  }

  test('one command pins what a tag stands for, and the runner uses it', async () => {
    const reference = `${ground.registry}/pgvector:17`;
    expect(await command(`pgvector=${reference}`)).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(/^pgvector: .* is sha256:[0-9a-f]{64}, new\nwritten: /),
    });
    expect(await imagesOfRunner()).toEqual({ pgvector: ground.images.pgvector });
    const other = `docker.io/pgvector/pgvector@sha256:${'1'.repeat(64)}`;
    expect(await imagesOfRunner({ pgvector: other })).toEqual({ pgvector: other });
  });

  test('it refreshes what it has pinned by its tag, says what has moved, and --check changes nothing', async () => {
    const first = await makeImage(ground, { one: '1' }, { name: 'moving' });
    const tag = `${first.split('@')[0]}:17`;
    const put = async (image: string) => {
      await ground.docker('pull', '-q', image);
      await ground.docker('tag', image, tag);
      await ground.docker('push', '-q', tag);
    };
    await put(first);
    const pin = (isCheck = false) => pinImages({ dataDir, wishes: ['pgtap'], isCheck });
    await pinImages({ dataDir, wishes: [`pgtap=${tag}`], isCheck: false });
    const before = await readFile(join(dataDir, 'pinned-images.json'), 'utf8');
    expect(await pin()).toMatchObject({ lines: [expect.stringMatching(/, as before$/)], hasChanged: false });
    expect(await readFile(join(dataDir, 'pinned-images.json'), 'utf8')).toBe(before);

    await put(await makeImage(ground, { two: '2' }, { name: 'moving' }));
    expect(await pin(true)).toMatchObject({ hasChanged: true });
    expect(await imagesOfRunner()).toEqual({ pgtap: first });
    expect((await pin()).lines).toEqual([
      expect.stringMatching(new RegExp(`is sha256:.*, it was ${first.split('@')[1]}$`)),
    ]);
    expect((await imagesOfRunner()).pgtap).not.toBe(first);
  });

  test('what cannot be had keeps its pin, is told, and the command ends with 1', async () => {
    await command(`pgvector=${ground.registry}/pgvector:17`);
    const { status, stdout, stderr } = await command(
      `pgvector=${ground.registry}/pgvector:18`,
      `pgtap=${ground.registry}/pgtap:17`,
      'timescaledb',
      'postgis=not an image',
    );
    expect(status).toBe(1);
    expect(stdout).toMatch(/^pgtap: /);
    expect(stderr.trim().split('\n')).toEqual([
      "there is no bundle 'timescaledb': postgis, pgvector, pgtap",
      expect.stringMatching(/^pgvector: localhost:\d+ does not have cascata\/pgvector:18$/),
      "postgis: 'not an image' is no image with registry, repository and tag: docker.io/me/it:17",
    ]);
    expect(await imagesOfRunner()).toEqual({ pgtap: ground.images.pgtap, pgvector: ground.images.pgvector });
  });
});

describe('with a registry of its own', () => {
  const MANIFEST = JSON.stringify({ schemaVersion: 2, manifests: [] });
  const DIGEST = `sha256:${createHash('sha256').update(MANIFEST).digest('hex')}`;
  let server: Server;
  let registry: string;
  let isLying = false;
  beforeAll(async () => {
    server = createServer((request, answer) => {
      const url = new URL(request.url ?? '', `http://${registry}`);
      if (url.pathname === '/token')
        return answer.end(JSON.stringify({ token: `${url.searchParams.get('scope')}!` }));
      if (request.headers.authorization !== 'Bearer repository:me/vector:pull!') {
        answer.writeHead(401, {
          'www-authenticate': `Bearer realm="http://${registry}/token",service="here",scope="repository:me/vector:pull"`,
        });
        return answer.end('{}');
      }
      answer.writeHead(200, { 'docker-content-digest': isLying ? `sha256:${'0'.repeat(64)}` : DIGEST });
      return answer.end(MANIFEST);
    });
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', () => resolve());
    });
    registry = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(() => void server.close());

  const pin = () => pinImages({ dataDir, wishes: [`pgvector=${registry}/me/vector:17`], isCheck: false });

  test('that wants a token for public images, as Docker Hub does, it gets one', async () => {
    expect(await pin()).toMatchObject({ problems: [], hasChanged: true });
    expect(readPins(dataDir).pgvector).toMatchObject({ repository: `${registry}/me/vector`, digest: DIGEST });
  });

  test('that sends something else than it says is not believed', async () => {
    isLying = true;
    expect(await pin()).toMatchObject({
      problems: [expect.stringMatching(/and what it sent is sha256:/)],
      hasChanged: false,
    });
    expect(readPins(dataDir)).toEqual({});
  });

  test('that is away is told by name, and by no secret', async () => {
    const wishes = ['pgvector=127.0.0.1:9/me/vector:17'];
    expect((await pinImages({ dataDir, wishes, isCheck: false })).problems).toEqual([
      expect.stringMatching(/^pgvector: 127\.0\.0\.1:9 cannot be reached: /),
    ]);
  });
});

test('a file of pins that somebody has spoiled is told, and nothing is pulled by it', async () => {
  await writeFile(join(dataDir, 'pinned-images.json'), '{"pgvector": {"repository": "x"}}');
  await expect(imagesOfRunner()).rejects.toThrow(
    'The file of pinned images is not what `npm run pin-images` writes',
  );
});
