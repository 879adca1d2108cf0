import { parse } from 'yaml';
import { z } from 'zod';

const Scalars = z.record(z.string(), z.string());
const Build = z.strictObject({ context: z.string(), dockerfile: z.string(), target: z.string().optional() });

/** The parts of Compose that our file uses; anything else is refused, so that nothing slips past the checks. */
const Service = z.strictObject({
  image: z.string(),
  build: Build.optional(),
  user: z.string(),
  command: z.array(z.string()).optional(),
  environment: Scalars.optional(),
  secrets: z.array(z.string()).optional(),
  volumes: z.array(z.string()).optional(),
  tmpfs: z.array(z.string()),
  ports: z.array(z.string()).optional(),
  networks: z.array(z.string()),
  depends_on: z.record(z.string(), z.strictObject({ condition: z.literal('service_healthy') })).optional(),
  healthcheck: z.strictObject({
    test: z.tuple([z.literal('CMD')], z.string()),
    interval: z.string(),
    timeout: z.string(),
    retries: z.int().positive(),
    start_period: z.string(),
  }),
  shm_size: z.string().optional(),
  stop_grace_period: z.string().optional(),
  init: z.literal(true),
  read_only: z.literal(true),
  cap_drop: z.tuple([z.literal('ALL')]),
  security_opt: z.tuple([z.literal('no-new-privileges:true')]),
  restart: z.literal('unless-stopped'),
});
const ComposeFile = z.strictObject({
  name: z.string(),
  'x-hardening': z.unknown(),
  services: z.record(z.string(), Service),
  networks: z.record(z.string(), z.strictObject({ internal: z.boolean().optional() })),
  volumes: z.record(z.string(), z.strictObject({})),
  secrets: z.record(z.string(), z.strictObject({ file: z.string() })),
});

export type ComposeFile = z.infer<typeof ComposeFile>;

/** @throws {z.ZodError} when a service lacks a hardening option or a health check, or has something the checks do not know */
export function parseComposeFile(text: string): ComposeFile {
  return ComposeFile.parse(parse(text, { merge: true }));
}

/**
 * A Compose file on top of another one, as `docker compose -f … -f …` reads them: maps are merged, lists of a service are united, anything else is replaced.
 *
 * @throws {z.ZodError} as `parseComposeFile`
 */
export function parseComposeOverlay(text: string, overlay: string): ComposeFile {
  return ComposeFile.parse(overlaid(parse(text, { merge: true }), parse(overlay, { merge: true })));
}

/** Lists that stand for one thing each. */
const REPLACED: ReadonlySet<string> = new Set(['command', 'entrypoint', 'test']);

function overlaid(base: unknown, over: unknown, key = ''): unknown {
  if (Array.isArray(base) && Array.isArray(over) && !REPLACED.has(key))
    return [...new Set([...base, ...over])];
  if (!isMap(base) || !isMap(over)) return over;
  const names = new Set([...Object.keys(base), ...Object.keys(over)]);
  return Object.fromEntries(
    [...names].map((name) => [
      name,
      name in over ? (name in base ? overlaid(base[name], over[name], name) : over[name]) : base[name],
    ]),
  );
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** What stands before and after the first colon of a volume, with its mode. */
export function splitVolume(volume: string): { source: string; target: string; mode: string | undefined } {
  const [source = '', target = '', mode] = volume.split(':');
  return { source, target, mode };
}
