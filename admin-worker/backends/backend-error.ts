import { connectReason } from '../../gateway/platform/connect-reason.ts';
import { JobError } from '../jobs/job.ts';

/** What a store or vector server answered with; the message holds neither keys nor content. */
export class BackendError extends Error {
  override readonly name = 'BackendError';
  /** Status of the answer; `undefined` when there was none. */
  readonly status: number | undefined;

  constructor(message: string, { status, cause }: { status?: number | undefined; cause?: unknown } = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.status = status;
  }
}

/** Why a backend cannot be used, for whoever named it. */
export function backendReason(error: unknown): string {
  return error instanceof BackendError && error.status !== undefined
    ? error.message
    : connectReason(rootOf(error));
}

/** Libraries wrap what the socket said. */
function rootOf(error: unknown): unknown {
  if (error instanceof BackendError || (error instanceof Error && error.name === 'TimeoutError')) {
    return error.cause === undefined ? error : rootOf(error.cause);
  }
  return error;
}

/** Turns an answer that trying again would not mend (refused, not found, not understood) into the end of a job. */
export async function reportBackendErrors<T>(
  code: 'storage' | 'vectors',
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof BackendError) || error.status === undefined) throw error;
    const { status } = error;
    if (status < 400 || status >= 500 || status === 408 || status === 429) throw error;
    throw new JobError(error.message, { code, cause: error });
  }
}
