import { z } from 'zod';
import type { TenantServer } from '../connections.ts';
import type { Move, MoveMode } from '../ejection/move.ts';
import type { JobContext } from './job.ts';

/** What every move is given, whichever way it goes. */
export interface MovePayload {
  readonly tenantId: string;
  readonly mode: MoveMode;
  readonly verify: 'contents' | 'counts';
  /** How the new place reaches the old one, sealed; `null`: as this installation does. */
  readonly sealedSource: string | null;
}

/** What every move has to remember from one run to the next. */
export const MoveState = z.object({
  /** How the registry's row was before: the switch changes it only as long as it is still so. */
  epoch: z.number().default(0),
  status: z.string().default('active'),
  schemas: z.array(z.string()).default([]),
  pauseMs: z.number().nullable().default(null),
  tables: z.number().default(0),
  rows: z.number().default(0),
});
export type MoveState = z.output<typeof MoveState>;

/** One way of moving a tenant: what is particular about where it comes from and where it goes. The steps are the same for all. */
export interface MoveRoute<Context extends JobContext<MovePayload, MoveState>> {
  find(context: Context): Promise<Move>;
  /** Whether this job has pointed the registry at the new place, in whichever of its runs. */
  isSwitched(context: Context): Promise<boolean>;
  /** Remembers in `state` what has to be known before anything is made. It is kept before `makePlace` is called. */
  note?(context: Context, move: Move): Promise<void>;
  /** Roles, logins, empty schemas at the new place. What an earlier run of the job has made there is made anew. */
  makePlace(context: Context, move: Move): Promise<void>;
  /** Takes back what `makePlace` did, and all that came there since. */
  dropPlace(context: Context, move: Move): Promise<void>;
  /** The new place for a login that is a member of the owner and of nothing else. */
  ownerAtTarget(context: Context, move: Move): TenantServer;
  /** Throws when what has been copied cannot be opened there. */
  inspectCopy?(context: Context, move: Move): Promise<void>;
  /** The registry's row in words and columns of the new place; `prepareSwitch` is called before writes are held. */
  prepareSwitch(context: Context, move: Move): Promise<Switch>;
}

/** Points the registry at the new place, in one transaction. @returns `false` when the tenant is no longer as it was when the move began */
export type Switch = (control: Parameters<Parameters<JobContext['connect']>[1]>[0]) => Promise<boolean>;
