/*
 * Where tests kill the runner, by kind of job, so that no step goes without: `test/unit/jobs/kill-points.test.ts` holds this list against the definitions. Points are those of
 * `runner-process.ts`; `engine start 1` is the answer to the first call of this kind to the container engine. A statement says in brackets which step it is in.
 */
export const KILL_POINTS = {
  'adopt-tenant': {
    cancelled: ['step-run check', 'step-run login', 'step-run register'],
    undone: ['undo-run register', 'undo-run login'],
    run: ['step-kept check', 'step-kept login', 'step-run register'],
  },
  'apply-migrations': {
    // Statements of the run's connections: to the tenant's database and the one that holds its lock.
    run: [
      'step-begun compare',
      'step-kept compare',
      'after INSERT INTO control.tenant_migrations [apply]',
      'before COMMIT [apply]',
      'after COMMIT [apply]',
    ],
    cancelled: ['after INSERT INTO control.tenant_migrations [apply]'],
    undone: ['undo-run apply'],
  },
  'bring-extension': {
    cancelled: ['step-run publish'],
    undone: ['undo-run publish', 'undo-run stage'],
    run: ['step-run pull', 'step-run stage', 'step-run rehearse', 'step-run publish'],
  },
  'collect-payloads': {
    cancelled: ['engine start 1 [bundles]'],
    undone: ['undo-run bundles'],
    run: [
      'step-run leftovers',
      'engine start 1 [bundles]',
      'engine start 1 [bundles]',
      'step-run bundles',
      'engine start 1 [payloads]',
      'step-run payloads',
    ],
  },
  'delete-old-copy': { run: ['step-begun delete', 'before WITH deleted [delete]'] },
  'digest-tenant': {
    run: ['after BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY [read]', 'step-run read'],
    cancelled: ['after BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY [read]'],
    undone: ['undo-run read'],
  },
  'eject-tenant': {
    offline: ['step-run prepare', 'step-run hold', 'step-run copy', 'after WITH flipped [switch]'],
    online: [
      'step-run check',
      'step-run copy',
      'after UPDATE control.tenants [switch]',
      'step-run switch',
      'step-run clean-up',
    ],
    followed: ['after CREATE SUBSCRIPTION [copy]'],
    undone: ['undo-run copy', 'undo-run hold', 'undo-begun prepare', 'undo-run prepare'],
    switched: ['after WITH flipped [switch]'],
    switchedUndone: ['undo-run switch'],
  },
  'export-caf': {
    cancelled: ['after SELECT pg_export_snapshot [write]'],
    undone: ['undo-run write'],
    published: ['step-run publish'],
    publishedUndone: ['undo-run publish'],
    run: ['after SET TRANSACTION SNAPSHOT [write]', 'step-run publish'],
    /** Of `npm run test:caf-kills`; one more is within pg_dump, and a job that fails six times has failed. */
    all: ['step-begun write', 'after SET TRANSACTION SNAPSHOT [write]', 'step-run write', 'step-run publish'],
  },
  'flip-back-tenant': {
    cancelled: ['before WITH flipped [switch]'],
    undone: ['undo-run switch'],
    run: ['step-run check', 'after WITH flipped [switch]', 'step-kept switch', 'step-run clean-up'],
  },
  'hydrate-caf': {
    /** One after the other, each in a job of its own that is cancelled then; `npm run test:caf-kills` has all. */
    cancelled: ['after SELECT lo_create [restore]'],
    allCancelled: [
      'after SELECT lo_create [restore]',
      'step-run verify',
      'after COMMIT [restore]',
      'after BEGIN READ ONLY [restore]',
      'step-run restore',
    ],
    undone: ['undo-run restore', 'undo-run extensions', 'undo-run verify'],
    verifyUndone: ['undo-run verify'],
    /** Before rows come in, and when they are there. */
    before: ['step-run verify', 'step-run extensions'],
    after: ['after UPDATE control.tenants [open]', 'step-run clean up'],
    /** Where the tenant that is replaced goes, and where it has gone. */
    replacing: ['after DELETE FROM control.tenants [restore]', 'after COMMIT [restore]'],
    replacingUndone: ['undo-run restore'],
    allBefore: ['step-kept verify', 'after SELECT lo_create [restore]'],
    allAfter: ['after BEGIN READ ONLY [restore]', 'after UPDATE control.tenants [open]'],
  },
  'inject-extension': {
    cancelled: ['step-run create'],
    undone: [
      'undo-run create',
      'engine start 1 [publish]',
      'undo-run publish',
      'engine start 2 [stage]',
      'undo-run stage',
    ],
    run: [
      'step-run check',
      'step-run pull',
      'engine create 1 [stage]',
      'engine start 1 [stage]',
      'step-run stage',
      'engine start 2 [rehearse]',
      'step-run rehearse',
      'engine start 2 [publish]',
      'step-run publish',
      'step-run create',
      'step-run smoke',
      'step-run announce',
    ],
    upgrade: [
      'step-kept stage',
      'engine start 2 [publish]',
      'step-run publish',
      'after SET LOCAL lock_timeout [create]',
    ],
    upgradeCommit: ['before COMMIT [create]', 'after COMMIT [create]', 'step-run create'],
  },
  'rejudge-extensions': {
    run: ['step-run judge', 'step-run rehearse', 'engine start 1 [act]', 'step-run act'],
  },
  'repatriate-tenant': {
    offline: [
      'step-run check',
      'step-begun prepare',
      'step-run hold',
      'before WITH flipped [switch]',
      'step-run clean-up',
    ],
    online: [
      'after CREATE SUBSCRIPTION [copy]',
      'step-run copy',
      'after WITH flipped [switch]',
      'step-begun clean-up',
    ],
    offlineCancelled: ['step-run copy'],
    offlineUndone: ['undo-run copy', 'undo-run hold'],
    onlineCancelled: ['before WITH flipped [switch]'],
    onlineUndone: ['undo-run switch', 'undo-run prepare'],
  },
  'withdraw-extension': {
    run: [
      'step-run check',
      'step-run drop',
      'engine start 1 [files]',
      'engine start 1 [files]',
      'step-run files',
      'step-run announce',
    ],
  },
} as const satisfies Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>;

/**
 * Where tests kill a process of the admin API that has scheduled jobs rest or go on: before and after each thing that it does. `test/unit/tenants/resting-jobs.test.ts` holds them against
 * its statements.
 */
export const RESTING_KILL_POINTS = {
  suspend: ['before INSERT INTO control.paused_jobs', 'after UPDATE cron.job'],
  freeze: ['after INSERT INTO control.paused_jobs', 'after UPDATE control.paused_jobs'],
  activate: ['before UPDATE cron.job', 'after DELETE FROM control.paused_jobs'],
  unfreeze: ['after UPDATE cron.job'],
} as const;
