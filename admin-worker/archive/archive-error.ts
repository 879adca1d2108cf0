/** Why an archive is refused. `docs/caf.md` lists them. */
export const ARCHIVE_PROBLEMS = [
  'not-an-archive',
  'unknown-version',
  'truncated',
  'damaged',
  'unsafe-member',
  'unexpected-member',
  'duplicate-member',
  'missing-member',
  'wrong-digest',
  'wrong-size',
  'too-large',
  'trailing-data',
  'wrong-passphrase',
  'not-authentic',
  'not-in-manifest',
  'wrong-signature',
  'not-signed',
  'untrusted-key',
] as const;

export type ArchiveProblem = (typeof ARCHIVE_PROBLEMS)[number];

/** An archive is not what its format says. The message names the member at fault and holds no content. */
export class ArchiveError extends Error {
  override readonly name = 'ArchiveError';
  readonly problem: ArchiveProblem;

  constructor(problem: ArchiveProblem, message: string, options: { cause?: unknown } = {}) {
    super(message, options);
    this.problem = problem;
  }
}
