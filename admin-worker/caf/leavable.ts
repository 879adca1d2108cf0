/** What of an archive can be left out when it is hydrated. */
export const LEAVABLE = ['files', 'vectors'] as const;
export type Leavable = (typeof LEAVABLE)[number];
