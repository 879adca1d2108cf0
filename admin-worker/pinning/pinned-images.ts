import { readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { writeAtomically } from '../pgbouncer/write-atomically.ts';
import { ReportedError } from '../reported-error.ts';

const Pins = z.record(
  z.string(),
  z.strictObject({
    /** `registry/repository`. */
    repository: z.string().regex(/^[a-z0-9][a-z0-9.:-]*(?:\/[a-z0-9][a-z0-9._-]*)+$/),
    tag: z.string(),
    digest: z.string().regex(/^sha256:[0-9a-f]{64}$/),
    pinned_at: z.string(),
  }),
);
/** Bundle → what its tag stood for when it was pinned. */
export type Pins = z.output<typeof Pins>;

export function pinsFile(dataDir: string): string {
  return join(dataDir, 'pinned-images.json');
}

/**
 * What `npm run pin-images` has pinned.
 *
 * @throws {ReportedError} when the file is there and is not what that wrote
 */
export function readPins(dataDir: string): Pins {
  const file = pinsFile(dataDir);
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return {};
    throw error;
  }
  const parsed = Pins.safeParse(tryJson(text));
  if (parsed.success) return parsed.data;
  throw new ReportedError('The file of pinned images is not what `npm run pin-images` writes', {
    code: 'not_pinned',
    details: z.prettifyError(parsed.error),
    hint: 'Delete pinned-images.json in DATA_DIR and pin again',
  });
}

/** @returns whether anything has changed */
export async function writePins(dataDir: string, pins: Pins): Promise<boolean> {
  await mkdir(dataDir, { recursive: true });
  const sorted = Object.fromEntries(Object.entries(pins).toSorted(([a], [b]) => (a < b ? -1 : 1)));
  return writeAtomically(pinsFile(dataDir), { text: `${JSON.stringify(sorted, null, 2)}\n`, mode: 0o644 });
}

/** Bundle → `repository@sha256:…`. */
export function imagesOf(pins: Pins): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(pins).map(([bundle, { repository, digest }]) => [bundle, `${repository}@${digest}`]),
  );
}

function tryJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
