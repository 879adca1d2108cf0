import { z } from 'zod';

/** What is kept of an object beside its bytes; names are those of the headers. */
const HEADERS = {
  content_type: z.string().max(1024).optional(),
  cache_control: z.string().max(1024).optional(),
  content_disposition: z.string().max(1024).optional(),
  content_encoding: z.string().max(1024).optional(),
  content_language: z.string().max(1024).optional(),
  expires: z.string().max(1024).optional(),
  /** `x-amz-meta-…`, names without that. */
  metadata: z.record(z.string().max(1024), z.string().max(8192)).optional(),
};

export const ObjectAbout = z.strictObject(HEADERS);
export type ObjectAbout = z.output<typeof ObjectAbout>;

/** `meta` of a file in an archive: its key below the tenant's directory or prefix, and when it was changed. */
export const FileMeta = z.strictObject({
  key: z.string().min(1).max(1024),
  modified_at: z.iso.datetime(),
  ...HEADERS,
});
export type FileMeta = z.output<typeof FileMeta>;

/** What of a file is the same at any place: all but its time, which an object store sets itself. */
export function aboutOf({ key: _, modified_at: __, ...about }: FileMeta): ObjectAbout {
  return about;
}
