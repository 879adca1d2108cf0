import { BUNDLES } from '../catalogue/bundled-extensions.ts';
import { type Pins, readPins, writePins } from './pinned-images.ts';
import { parseImageTag, RegistryError, resolveDigest } from './resolve-digest.ts';

export interface PinRequest {
  readonly dataDir: string;
  /** `bundle` or `bundle=registry/repository:tag`; none: every bundle whose tag is known. */
  readonly wishes: readonly string[];
  /** Only says what would change. */
  readonly isCheck: boolean;
  /** Default: now. */
  readonly now?: Date;
}

export interface PinReport {
  /** One line for each bundle, for people. */
  readonly lines: readonly string[];
  readonly problems: readonly string[];
  /** Whether a digest is another one than before, or new. */
  readonly hasChanged: boolean;
}

/**
 * Pins bundles to what their tags stand for now. One that cannot be asked for keeps its old pin, and is told.
 */
export async function pinImages({
  dataDir,
  wishes,
  isCheck,
  now = new Date(),
}: PinRequest): Promise<PinReport> {
  const before = readPins(dataDir);
  const wanted = references(before, wishes);
  const pins: Pins = { ...before };
  const lines: string[] = [];
  const problems = [...wanted.problems];
  for (const [bundle, reference] of wanted.references) {
    try {
      const image = parseImageTag(reference);
      const digest = await resolveDigest(image);
      const repository = `${image.registry}/${image.repository}`;
      const old = before[bundle];
      const isSame = old?.digest === digest && old.repository === repository;
      lines.push(`${bundle}: ${reference} is ${digest}${describe(old, isSame)}`);
      // The day stays that of the digest: writing the same again changes nothing.
      pins[bundle] = {
        ...{ repository, tag: image.tag, digest },
        pinned_at: isSame ? old.pinned_at : now.toISOString(),
      };
    } catch (error) {
      if (!(error instanceof RegistryError)) throw error;
      problems.push(`${bundle}: ${error.message}`);
    }
  }
  const hasChanged = Object.entries(pins).some(([bundle, pin]) => {
    const old = before[bundle];
    return old?.digest !== pin.digest || old.repository !== pin.repository;
  });
  if (!isCheck) await writePins(dataDir, pins);
  return { lines, problems, hasChanged };
}

function describe(old: Pins[string] | undefined, isSame: boolean): string {
  if (old === undefined) return ', new';
  return isSame ? ', as before' : `, it was ${old.digest}`;
}

/** What was pinned once is refreshed by the tag it had then; else the catalogue says where a bundle is published. */
function references(before: Pins, wishes: readonly string[]) {
  const known = new Map<string, string>();
  for (const { name, repository, tag } of BUNDLES)
    if (repository !== undefined && tag !== undefined) known.set(name, `${repository}:${tag}`);
  for (const [bundle, { repository, tag }] of Object.entries(before))
    known.set(bundle, `${repository}:${tag}`);
  if (wishes.length === 0) return { references: known, problems: [] };
  const references = new Map<string, string>();
  const problems: string[] = [];
  for (const wish of wishes) {
    const [bundle = '', given] = wish.split(/=(.*)/, 2);
    const reference = given ?? known.get(bundle);
    if (!BUNDLES.some(({ name }) => name === bundle))
      problems.push(`there is no bundle '${bundle}': ${BUNDLES.map(({ name }) => name).join(', ')}`);
    else if (reference === undefined)
      problems.push(
        `${bundle}: nobody publishes an image of it; say where yours is: ${bundle}=registry/repository:tag`,
      );
    else references.set(bundle, reference);
  }
  return { references, problems };
}
