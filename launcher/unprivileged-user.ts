import { readFile, realpath, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { SetupError } from './setup-error.ts';

/** The account PostgreSQL runs as when this process is root, which PostgreSQL refuses to run as. */
export interface UnprivilegedUser {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

/**
 * `undefined` when this process is not root and can run PostgreSQL itself. Otherwise the owner of an existing cluster, so
 * that a second start finds files it may read, else the account `postgres`, else `nobody`. The account must be in
 * `/etc/passwd`, because initdb looks its own name up.
 *
 * @throws {SetupError} when the machine has no such account
 */
export async function chooseUnprivilegedUser(clusterDir: string): Promise<UnprivilegedUser | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const accounts = parseAccounts(await readFile('/etc/passwd', 'utf8'));
  const owner = await stat(clusterDir).catch(() => undefined);
  const byOwner = accounts.find((account) => account.uid !== 0 && account.uid === owner?.uid);
  const user =
    byOwner ??
    accounts.find((account) => account.name === 'postgres' && account.uid !== 0) ??
    accounts.find((account) => account.name === 'nobody' && account.uid !== 0);
  if (user === undefined) {
    throw new SetupError(
      'PostgreSQL does not run as root and this machine has neither a postgres nor a nobody account: start as another user or set CONTROL_DATABASE_URL.',
    );
  }
  return user;
}

/** Whether `user` may enter `directory` and every directory above it, judged by owner and mode bits. */
export async function canReach(directory: string, user: UnprivilegedUser): Promise<boolean> {
  for (let current = await realpath(directory); ; current = dirname(current)) {
    const { uid, gid, mode } = await stat(current);
    const search = uid === user.uid ? 0o100 : gid === user.gid ? 0o010 : 0o001;
    if ((mode & search) === 0) return false;
    if (current === dirname(current)) return true;
  }
}

/** Lines of `/etc/passwd`: `name:password:uid:gid:…`. */
export function parseAccounts(passwd: string): readonly UnprivilegedUser[] {
  return passwd
    .split('\n')
    .map((line) => line.split(':'))
    .filter((fields) => fields.length >= 4)
    .map(([name = '', , uid = '', gid = '']) => ({ name, uid: Number(uid), gid: Number(gid) }));
}
