import type { ArchiveEntry } from '../archive/format.ts';
import { MAX_MANIFEST_BYTES } from '../archive/format.ts';
import { DigestSum } from '../backends/digest-sum.ts';
import { aboutOf, type FileMeta } from '../backends/stored-object.ts';
import { JobError } from '../jobs/job.ts';
import type { TenantContent } from './content.ts';

/** Adds up the files of an archive: what `content.files` of its manifest says. */
export class FileSum {
  readonly #sum = new DigestSum();
  #bytes = 0;
  #manifestBytes = 0;

  /** @throws {JobError} when the manifest could not name all of them */
  add(entry: ArchiveEntry, meta: FileMeta): void {
    const about = Object.entries(aboutOf(meta)).toSorted(([a], [b]) => (a < b ? -1 : 1));
    this.#sum.add(JSON.stringify([meta.key, entry.sha256, about]));
    this.#bytes += entry.size;
    this.#manifestBytes += JSON.stringify(entry).length;
    if (this.#manifestBytes < MAX_MANIFEST_BYTES * 0.9) return;
    throw new JobError(`The tenant has more files than one archive can name: ${this.#sum.count} and more`, {
      code: 'too-many-files',
    });
  }

  get count(): number {
    return this.#sum.count;
  }

  get content(): NonNullable<TenantContent['files']> {
    return { count: this.#sum.count, bytes: this.#bytes, digest: this.#sum.digest };
  }
}
