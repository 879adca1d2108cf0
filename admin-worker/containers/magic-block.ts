/** What every module of PostgreSQL says of the server it was built for. */
export interface MagicBlock {
  /** 17. */
  readonly major: number;
  readonly maxArguments: number;
  readonly maxIndexKeys: number;
  readonly maxNameBytes: number;
  readonly isFloat8ByValue: boolean;
}

/** The end of `Pg_magic_struct` that PostgreSQL itself builds with; forks have another word here. */
const ABI = Buffer.from('PostgreSQL\0');
const FIELDS_BYTES = 24;
const MAX_CANDIDATES = 1_000;

/**
 * Finds the block in a module's bytes, without running it: six 32-bit numbers (length, version in hundreds, limits of that build) and the name of the ABI.
 *
 * @returns `undefined` when there is none: not a module of PostgreSQL's
 */
export function readMagicBlock(bytes: Buffer): MagicBlock | undefined {
  let at = bytes.indexOf(ABI, FIELDS_BYTES);
  for (let tries = 0; at >= 0 && tries < MAX_CANDIDATES; tries++) {
    const field = (index: number) => bytes.readInt32LE(at - FIELDS_BYTES + index * 4);
    const [length, version, maxArguments, maxIndexKeys, maxNameBytes, float8] = [0, 1, 2, 3, 4, 5].map(
      field,
    ) as [number, number, number, number, number, number];
    const isBlock =
      length >= FIELDS_BYTES + 32 &&
      length <= 256 &&
      version >= 900 &&
      version < 10_000 &&
      version % 100 === 0 &&
      maxArguments > 0 &&
      maxIndexKeys > 0 &&
      maxNameBytes > 0 &&
      (float8 === 0 || float8 === 1);
    if (isBlock)
      return {
        major: version / 100,
        maxArguments,
        maxIndexKeys,
        maxNameBytes,
        isFloat8ByValue: float8 === 1,
      };
    at = bytes.indexOf(ABI, at + 1);
  }
  return undefined;
}
