import { copyFile, mkdir, readdir, readFile, readlink, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { DockerGround } from './docker-ground.ts';
import type { PhantomCore } from './phantom-core.ts';
import { manifestText, sha256, writeManifest } from './phantom-manifest.ts';

/** Files on this machine by their place in a payload, `kind/name`. */
export type PayloadPlaces = Readonly<Record<string, string>>;

const SCRIPTS = 'usr/share/postgresql/17/extension';
const MODULES = 'usr/lib/postgresql/17/lib';
const LIBRARIES = 'usr/lib/x86_64-linux-gnu';
const STATUS_DEADLINE_MS = 60_000;

/** What an extension's tree gives for a payload: scripts, control file and the modules named, with no libraries. */
export async function payloadOf(
  ground: DockerGround,
  { tree, extensions, modules }: { tree: string; extensions: readonly string[]; modules: readonly string[] },
): Promise<PayloadPlaces> {
  const at = (...parts: string[]) => join(ground.trees, tree, ...parts);
  const places: Record<string, string> = {};
  for (const name of modules) places[`module/${name}`] = at(MODULES, name);
  for (const name of await readdir(at(SCRIPTS))) {
    const [, extension = ''] = /^(.+?)(?:--.*)?\.(?:sql|control)$/.exec(name) ?? [];
    if (!extensions.includes(extension)) continue;
    // Debian's postgis.control is a link to a link: /etc/alternatives, then postgis-3.control.
    const target = await readlink(at(SCRIPTS, name)).catch(() => undefined);
    const file = target?.startsWith('/') ? at(await readlink(at(target))) : at(SCRIPTS, name);
    places[`${name.endsWith('.control') ? 'control' : 'sql'}/${name}`] = file;
  }
  return places;
}

/** PostGIS with two of its extensions, its libraries and its data: what a full collection gives. */
export async function postgisPayload(ground: DockerGround): Promise<PayloadPlaces> {
  const extensions = ['postgis', 'postgis_topology'];
  const modules = ['postgis-3.so', 'postgis_topology-3.so'];
  const places: Record<string, string> = {
    ...(await payloadOf(ground, { tree: 'postgis', extensions, modules })),
  };
  const folder = join(ground.trees, 'postgis', LIBRARIES);
  const entries = await readdir(folder, { withFileTypes: true });
  const names = entries.filter(({ name }) => /\.so\.[\d.]+$/.test(name));
  const links = names.filter((entry) => entry.isSymbolicLink());
  const linked = new Set(await Promise.all(links.map(({ name }) => readlink(join(folder, name)))));
  // A library goes by the name of the link to it, or by its own where there is none.
  for (const entry of names)
    if (entry.isSymbolicLink() || !linked.has(entry.name))
      places[`closure/${entry.name}`] = join(folder, entry.name);
  places['data/proj/proj.db'] = join(ground.trees, 'postgis/usr/share/proj/proj.db');
  return places;
}

/** Writes a payload and its manifest into the core's volume, as the worker does. */
export async function publishPayload(
  core: PhantomCore,
  { bundle, extensions, places }: { bundle: string; extensions: readonly string[]; places: PayloadPlaces },
): Promise<string> {
  const sums: Record<string, string> = {};
  for (const [name, file] of Object.entries(places)) sums[name] = sha256(await readFile(file));
  const { digest, text } = manifestText(bundle, sums, { extensions, key: core.key });
  const payload = join(core.volumePath, 'ext', bundle, digest);
  await rm(payload, { recursive: true, force: true });
  for (const [name, file] of Object.entries(places)) {
    await mkdir(dirname(join(payload, name)), { recursive: true });
    await copyFile(file, join(payload, name));
  }
  await writeManifest(core.volumePath, bundle, text);
  return digest;
}

/** Publishes and waits for what the linker says of it. */
export async function linkPayload(
  core: PhantomCore,
  bundle: { bundle: string; extensions: readonly string[]; places: PayloadPlaces },
): Promise<string> {
  const before = await core.status(bundle.bundle);
  await publishPayload(core, bundle);
  return waitForStatus(core, bundle.bundle, (status) => status !== before);
}

/** Waits until the status is as wanted. @throws {Error} with the container's log */
export async function waitForStatus(
  core: PhantomCore,
  bundle: string,
  isWanted: (status: string) => boolean,
): Promise<string> {
  const deadline = Date.now() + STATUS_DEADLINE_MS;
  while (Date.now() < deadline) {
    const status = await core.status(bundle);
    if (isWanted(status)) return status;
    await sleep(100);
  }
  throw new Error(`the linker does not come round: ${await core.logs()}`);
}
