import { bundleOf, findEntry, refusalOf } from '../catalogue/catalogue.ts';
import type { Bundle } from '../catalogue/catalogue-entry.ts';
import { availableExtensions } from '../extensions/extension-sql.ts';
import { type BringExtensionPayload, bringExtensionKind } from './extension-kinds.ts';
import {
  InjectionState,
  phantomOf,
  plannedFiles,
  publishStep,
  pullStep,
  rehearseStep,
  stageStep,
  unpublish,
  unstage,
} from './inject-files.ts';
import { type JobContext, type JobDefinition, JobError } from './job.ts';

type Context = JobContext<BringExtensionPayload, InjectionState>;

/** Brings the files of an extension into the running server, for tenants that are yet to come. */
export const bringExtension: JobDefinition<BringExtensionPayload, InjectionState> = {
  kind: bringExtensionKind,
  state: InjectionState,
  steps: [
    {
      name: 'pull',
      weight: 4,
      run: (context) => withBundle(context, (bundle) => pullStep(context, bundle)),
    },
    {
      name: 'stage',
      weight: 4,
      run: (context) =>
        withBundle(context, (bundle) =>
          stageStep(context, bundle, { name: context.payload.name, version: null }),
        ),
      undo: (context) => withBundle(context, (bundle) => unstage(context, bundle), 'undo'),
    },
    {
      name: 'rehearse',
      weight: 3,
      run: (context) =>
        withBundle(context, (bundle) =>
          rehearseStep(context, bundle, { name: context.payload.name, version: null, current: undefined }),
        ),
    },
    {
      name: 'publish',
      run: (context) => withBundle(context, (bundle) => publishStep(context, bundle)),
      undo: (context) => withBundle(context, (bundle) => unpublish(context, bundle), 'undo'),
    },
  ],
  async dryRun(context) {
    const bundle = await neededBundle(context);
    if (bundle === undefined) return [`the server has the files of ${context.payload.name} already`];
    return [await plannedFiles(context, bundle, context.payload.name)];
  },
  result: ({ image, digest }) => ({ image, digest }),
};

/** Does nothing where the server had the files before this job; what this job has published counts as not there. */
async function withBundle(
  context: Context,
  work: (bundle: Bundle) => Promise<void>,
  when: 'run' | 'undo' = 'run',
): Promise<void> {
  const { state } = context;
  const isBegun = state.image !== null;
  if (when === 'undo' && !isBegun) return;
  const bundle = isBegun ? bundleNamed(context) : await neededBundle(context);
  if (bundle !== undefined) await work(bundle);
}

function bundleNamed({ payload }: Context): Bundle | undefined {
  const entry = findEntry(payload.name);
  return entry === undefined ? undefined : bundleOf(entry);
}

/** `undefined` when the server has the files. @throws {JobError} when nothing can bring them */
async function neededBundle(context: Context): Promise<Bundle | undefined> {
  const { payload, services, log } = context;
  const { name } = payload;
  if (findEntry(name) === undefined) {
    const { message, hint } = refusalOf(name);
    throw new JobError(message, { hint, code: 'not_offered' });
  }
  const [available] = await context.connect(services.sharedDatabaseUrl, (db) =>
    availableExtensions(db, [name]),
  );
  if (available !== undefined) {
    log(`the server has the files of ${name} ${available.version} already`);
    return undefined;
  }
  const bundle = bundleNamed(context);
  if (bundle === undefined) {
    throw new JobError(`The server does not have the extension '${name}', and no image brings it`, {
      code: 'not_available',
    });
  }
  phantomOf(context, `the files of '${name}'`);
  return bundle;
}
