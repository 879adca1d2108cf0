import { setFlagsFromString } from 'node:v8';

/** Full collections for which the engine remembers a form of objects that none has any more; its default is 2. */
const COLLECTIONS = 1_000;

/**
 * Keeps compiled code compiled while nobody asks for anything. All objects of a request are gone once it is answered, and the engine collects when the process
 * comes to rest: it then forgets what their forms were, and with them the code that was compiled for those. After a quiet quarter of a minute
 * the next requests took a tenth more CPU, until everything was compiled anew (docs/performance.md). Before the first request.
 */
export function keepCompiledCode(): void {
  setFlagsFromString(`--retain-maps-for-n-gc=${COLLECTIONS}`);
}
