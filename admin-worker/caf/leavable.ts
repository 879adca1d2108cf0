/** What of an archive can be left out when it is hydrated. */
export const LEAVABLE = ['files', 'vectors', 'scheduled_jobs'] as const;
export type Leavable = (typeof LEAVABLE)[number];
