/** What a tenant has beside its database: can be left out of an archive. */
export const CONTENTS = ['files', 'vectors'] as const;

/** What of an archive can be left out when it is hydrated. */
export const LEAVABLE = [...CONTENTS, 'scheduled_jobs'] as const;
export type Leavable = (typeof LEAVABLE)[number];
