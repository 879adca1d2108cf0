import { mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const GROUP_PREFIX = 'cascata-bench-';
const AUTOGROUP = '/proc/sys/kernel/sched_autogroup_enabled';

/**
 * Puts this process, and all that it starts, into a CPU group of their own, as services are everywhere: under systemd and in containers. Outside of any group, Linux
 * with `sched_autogroup_enabled` shares out the cores by sessions, and each of PostgreSQL's processes is a session. One whose core a server
 * keeps busy was then seen to wait for 100 to 400 ms, in which fewer clients asked for more: requests/s and latencies depended on which
 * processes shared a core (docs/performance.md).
 *
 * @returns `leave`, for when the others have ended; a string says why no group could be made where one is needed
 */
export function joinSchedulingGroup(): { readonly leave: () => void } | string {
  if (!isAutogroupEnabled() || ownGroup() !== '/') return { leave: () => {} };
  const parent = findHierarchy();
  if (parent === undefined) return 'there is no hierarchy of CPU groups that processes could be put into';
  const group = join(parent, `${GROUP_PREFIX}${process.pid}`);
  try {
    removeEmptyGroups(parent);
    mkdirSync(group);
    move(group);
  } catch (error) {
    return `no CPU group can be made: ${error instanceof Error ? error.message : String(error)}`;
  }
  const leave = (): void => {
    process.off('exit', leave);
    try {
      move(parent);
      rmdirSync(group);
    } catch {
      // Something that was killed has not ended yet (Ctrl-C): the next run removes the group.
    }
  };
  process.once('exit', leave);
  return { leave };
}

/** Of runs that were cut short. The kernel refuses to remove one that is in use. */
function removeEmptyGroups(parent: string): void {
  for (const name of readdirSync(parent)) {
    if (!name.startsWith(GROUP_PREFIX)) continue;
    try {
      rmdirSync(join(parent, name));
    } catch {
      // Another run's.
    }
  }
}

function move(group: string): void {
  writeFileSync(join(group, 'cgroup.procs'), String(process.pid));
}

function isAutogroupEnabled(): boolean {
  return readIfThere(AUTOGROUP).trim() === '1';
}

/** Path of this process's CPU group below its hierarchy's root. Lines are `number:controllers:path`; version 2 has no controllers. */
function ownGroup(): string {
  const lines = readIfThere('/proc/self/cgroup')
    .split('\n')
    .map((line) => line.split(':'));
  const own =
    lines.find(([, controllers]) => controllers?.split(',').includes('cpu')) ??
    lines.find(([number]) => number === '0');
  return own?.slice(2).join(':') ?? '/';
}

/** Where groups of the `cpu` controller can be made. */
function findHierarchy(): string | undefined {
  const mounts = readIfThere('/proc/self/mounts')
    .split('\n')
    .map((line) => line.split(' '));
  const first = mounts.find(
    ([, , type, options]) => type === 'cgroup' && options?.split(',').includes('cpu'),
  );
  if (first !== undefined) return first[1];
  const [, unified] = mounts.find(([, , type]) => type === 'cgroup2') ?? [];
  if (unified === undefined) return undefined;
  const passedOn = readIfThere(join(unified, 'cgroup.subtree_control')).trim().split(' ');
  return passedOn.includes('cpu') ? unified : undefined;
}

function readIfThere(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
