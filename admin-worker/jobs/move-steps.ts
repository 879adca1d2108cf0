import { readContents } from '../ejection/moving-tenant.ts';
import type { JobContext, JobStep } from './job.ts';
import { copyTenant, stopCopying } from './move-copy.ts';
import type { MovePayload, MoveRoute, MoveState } from './move-state.ts';
import { flip, hold, release } from './move-switch.ts';

type Step<P extends MovePayload, S extends MoveState> = JobStep<P, S>;

/** The steps of a move, whichever way it goes. Until `switch` is done all of it can be taken back. */
export function moveSteps<P extends MovePayload, S extends MoveState>(
  route: MoveRoute<JobContext<P, S>>,
  { check, cleanUp }: { readonly check: Step<P, S>['run']; readonly cleanUp: Step<P, S>['run'] },
): readonly [Step<P, S>, ...Step<P, S>[]] {
  return [
    { name: 'check', run: check },
    {
      name: 'prepare',
      run: (context) => prepare(context, route),
      undo: (context) => dropPlace(context, route),
    },
    {
      name: 'hold',
      // Online they are held for the switch only.
      run: (context) => (context.payload.mode === 'offline' ? hold(context, route) : Promise.resolve()),
      undo: (context) => release(context, route),
    },
    {
      name: 'copy',
      weight: 10,
      run: (context) => copyTenant(context, route),
      undo: (context) => stopCopying(context, route),
    },
    {
      name: 'switch',
      weight: 2,
      run: (context) => flip(context, route),
      undo: (context) => release(context, route),
      isPointOfNoReturn: true,
    },
    {
      name: 'clean-up',
      async run(context) {
        await stopCopying(context, route);
        await cleanUp(context);
        await context.services.pgbouncer?.sync();
      },
    },
  ];
}

/** The schemas are kept before anything is made: what is to be taken back has to be known by then. */
async function prepare<P extends MovePayload, S extends MoveState>(
  context: JobContext<P, S>,
  route: MoveRoute<JobContext<P, S>>,
): Promise<void> {
  const { connect, state, checkpoint } = context;
  const move = await route.find(context);
  const { schemas } = await connect(move.source, (client) => readContents(client, move.roles));
  state.schemas = [...schemas];
  await route.note?.(context, move);
  await checkpoint();
  await route.makePlace(context, move);
}

/** What is there after the switch is the tenant, not a copy: it stays, although the run that switched was killed before it could say so. */
async function dropPlace<P extends MovePayload, S extends MoveState>(
  context: JobContext<P, S>,
  route: MoveRoute<JobContext<P, S>>,
): Promise<void> {
  if (await route.isSwitched(context)) {
    context.log('the tenant had been moved already; it stays at its new place', 'warn');
    return;
  }
  await route.dropPlace(context, await route.find(context));
}
