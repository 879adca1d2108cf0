import { contextOf, type JobRun, tell } from './job-run.ts';

/** The runner is to end; the job goes back to its queue. */
export class HandOverError extends Error {
  override readonly name = 'HandOverError';
}

/** Runs the steps that are not done yet. Throws what a step throws, or the reason why none may go on. */
export async function runSteps(run: JobRun): Promise<void> {
  const { definition, lease, record, log, signals } = run;
  const total = definition.steps.reduce((sum, { weight = 1 }) => sum + weight, 0);
  const done = new Set(record.steps_done);
  let isPastReturn = record.is_past_return;
  let before = 0;
  for (const step of definition.steps) {
    const { name, weight = 1 } = step;
    const begin = before;
    before += weight;
    if (done.has(name)) continue;
    const signal = signalFor(run, isPastReturn);
    signal.throwIfAborted();
    if (signals.stopping.aborted) throw new HandOverError('the runner is ending');
    const percent = (fraction: number) => ((begin + weight * fraction) / total) * 100;
    await lease.beginStep(name, percent(0));
    tell(run, 'step-begun', { step: name });
    log.add(record.steps_begun.includes(name) ? `${name}: begins again` : `${name}: begins`, { step: name });
    await step.run(contextOf(run, { name, signal, percent }));
    // A step that took no notice of the abort may have stopped half way.
    signal.throwIfAborted();
    tell(run, 'step-run', { step: name });
    isPastReturn ||= step.isPointOfNoReturn === true;
    await lease.finishStep(name, { state: run.state, isPastReturn });
    tell(run, 'step-kept', { step: name });
    log.add(`${name}: done`, { step: name });
  }
}

/** Takes back the steps that were begun, the last one first. */
export async function undoSteps(run: JobRun): Promise<void> {
  const { definition, lease, record, log, signals } = run;
  const signal = AbortSignal.any([signals.stopped, signals.lost]);
  for (const name of (await begunSteps(run)).toReversed()) {
    signal.throwIfAborted();
    if (signals.stopping.aborted) throw new HandOverError('the runner is ending');
    const step = definition.steps.find((candidate) => candidate.name === name);
    if (step?.undo !== undefined) {
      const label = `undo ${name}`;
      await lease.progress(record.progress, label, undefined);
      tell(run, 'undo-begun', { step: name });
      log.add(`${label}: begins`, { step: name });
      await step.undo(contextOf(run, { name: label, signal, percent: () => record.progress }));
      signal.throwIfAborted();
      tell(run, 'undo-run', { step: name });
      log.add(`${label}: done`, { step: name });
    }
    await lease.finishUndo(name, run.state);
  }
}

/** As they stand now: this very run may have begun some. */
async function begunSteps({ control, lease }: JobRun): Promise<readonly string[]> {
  const { rows } = await control.query<{ steps_begun: string[] }>(
    'SELECT steps_begun FROM control.jobs WHERE id = $1',
    [lease.jobId],
  );
  return rows[0]?.steps_begun ?? [];
}

/** Past the point of no return nothing but the end of the runner, or of its lease, stops a step. */
function signalFor({ signals, late }: JobRun, isPastReturn: boolean): AbortSignal {
  const { cancelled, stopped, lost } = signals;
  return AbortSignal.any(isPastReturn ? [stopped, lost] : [stopped, lost, cancelled, late]);
}
