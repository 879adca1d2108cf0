import { JOB_DEFINITIONS } from './job-definitions.ts';
import { runRunnerProcess } from './runner-process.ts';

await runRunnerProcess({ definitions: JOB_DEFINITIONS });
