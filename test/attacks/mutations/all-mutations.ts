import { ADMIN_API } from './admin.ts';
import { CATALOGS } from './catalogs.ts';
import { IDENTITY } from './identity.ts';
import type { Mutation } from './mutation.ts';
import { SEAL } from './seal.ts';
import { SESSIONS } from './sessions.ts';
import { WIRE } from './wire.ts';

/** One for each defence that docs/security.md names. */
export const MUTATIONS: readonly Mutation[] = [
  ...SEAL,
  ...SESSIONS,
  ...CATALOGS,
  ...IDENTITY,
  ...WIRE,
  ...ADMIN_API,
];
