import { readdirSync, readFileSync } from 'node:fs';

/** Linux counts CPU time in `/proc` in these units (USER_HZ), on every architecture Node runs on. */
const MICROSECONDS_PER_TICK = 10_000;

interface ProcessTimes {
  readonly parent: number;
  /** Of the process itself. */
  readonly ownUs: number;
  /** Of children that have ended and were waited for. */
  readonly reapedUs: number;
}

/** CPU time so far, in microseconds, of a process and all that descend from it, those that have ended included. */
export function treeCpuUs(rootPid: number): number {
  const processes = new Map<number, ProcessTimes>();
  for (const name of readdirSync('/proc')) {
    const times = /^\d+$/.test(name) ? readTimes(name) : undefined;
    if (times !== undefined) processes.set(Number(name), times);
  }
  let totalUs = 0;
  for (const [pid, { ownUs, reapedUs }] of processes) {
    if (descends(pid, rootPid, processes)) totalUs += ownUs + reapedUs;
  }
  return totalUs;
}

function descends(pid: number, rootPid: number, processes: ReadonlyMap<number, ProcessTimes>): boolean {
  for (let current: number | undefined = pid; current !== undefined && current > 1; ) {
    if (current === rootPid) return true;
    current = processes.get(current)?.parent;
  }
  return false;
}

/** `undefined` for a process that has just ended. Fields: proc_pid_stat(5). */
function readTimes(pid: string): ProcessTimes | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return undefined;
  }
  // The name may hold spaces and parentheses; fields are counted from behind it.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const ticks = (index: number): number => Number(fields[index]) * MICROSECONDS_PER_TICK;
  return { parent: Number(fields[1]), ownUs: ticks(11) + ticks(12), reapedUs: ticks(13) + ticks(14) };
}
