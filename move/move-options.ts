import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { MoveError } from './move-error.ts';

export interface MoveOptions {
  /** Origins of the two admin APIs. */
  readonly from: string;
  readonly to: string;
  readonly tenant: string;
  readonly fromToken: string;
  readonly toToken: string;
  /** Origin of the other installation's gateway; `undefined`: that installation is asked. */
  readonly gateway: string | undefined;
  /** PEM of the authorities that the gateway's certificate is checked by; `undefined`: the system's. */
  readonly gatewayCa: string | undefined;
  readonly isPlainHttpAllowed: boolean;
  /** Where files and vectors go at the other installation, as `POST /v1/hydrate` takes it; holds keys. */
  readonly backends: unknown;
  /** Has to be said of a tenant that is trusted. */
  readonly isolation: string | undefined;
  readonly isUndo: boolean;
  /** Looks, and tells what a move would be like. */
  readonly isCheck: boolean;
  /** The most that writes may wait; a move that would need more is not made. */
  readonly maxPauseSeconds: number;
  /** Writes go on by themselves so long after this program is gone. */
  readonly leaseSeconds: number;
}

export const USAGE = `Usage: npm run move -- --from https://admin.a --to https://admin.b --tenant acme

Moves a tenant from one installation to another. Run again after an interruption, it goes on.

  --from, --to      admin APIs of the installation that the tenant leaves, and of the one that it moves to
  --tenant          its id
  --gateway         gateway of the other installation; default: what that says of itself (gateway.publicUrl)
  --gateway-ca      file with the authorities of that gateway's certificate; default: those of the system
  --backends        file with the "backends" of POST /v1/hydrate: where files and vectors go there;
                    default: files into its DATA_DIR, vectors have no place
  --isolation       sealed or trusted, there; has to be given for a tenant that is trusted
  --lease           seconds after which writes go on by themselves if this program dies (default 60)
  --max-pause       seconds that writes may wait at most; a move that needs more is not completed (default 60)
  --check           say what stands in the way, what would move and how long writes would wait; change nothing
  --undo            take a move back that has not been completed
  --allow-http      http:// to other machines than this one: tokens are readable on the way

Tokens come from CASCATA_FROM_TOKEN and CASCATA_TO_TOKEN, or from the files that CASCATA_FROM_TOKEN_FILE and
CASCATA_TO_TOKEN_FILE name. All of it is in docs/federation.md.
`;

const OPTIONS = {
  from: { type: 'string' },
  to: { type: 'string' },
  tenant: { type: 'string' },
  gateway: { type: 'string' },
  'gateway-ca': { type: 'string' },
  backends: { type: 'string' },
  isolation: { type: 'string' },
  lease: { type: 'string', default: '60' },
  'max-pause': { type: 'string', default: '60' },
  check: { type: 'boolean', default: false },
  undo: { type: 'boolean', default: false },
  'allow-http': { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
} as const;

/**
 * Reads the command line and the environment.
 *
 * @returns `undefined` when help was asked for
 * @throws {MoveError} that says what is missing or wrong
 */
export function readMoveOptions(
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): MoveOptions | undefined {
  const values = parsed(argv);
  if (values.help) return undefined;
  const isPlainHttpAllowed = values['allow-http'];
  const origin = (name: 'from' | 'to') => originOf(`--${name}`, values[name], isPlainHttpAllowed);
  const [from, to] = [origin('from'), origin('to')];
  if (from === to) throw new MoveError('usage', '--from and --to are the same installation');
  const { tenant, gateway } = values;
  if (tenant === undefined || !/^[a-z][a-z0-9_-]{0,39}$/.test(tenant)) {
    throw new MoveError('usage', '--tenant has to be the id of a tenant');
  }
  if (values.undo && values.check) throw new MoveError('usage', '--undo and --check exclude each other');
  const ca = values['gateway-ca'];
  return {
    from,
    to,
    tenant,
    fromToken: token(env, 'CASCATA_FROM_TOKEN'),
    toToken: token(env, 'CASCATA_TO_TOKEN'),
    gateway: gateway === undefined ? undefined : originOf('--gateway', gateway, isPlainHttpAllowed),
    gatewayCa: ca === undefined ? undefined : fileOf('--gateway-ca', ca),
    isPlainHttpAllowed,
    backends: values.backends === undefined ? undefined : jsonOf('--backends', values.backends),
    isolation: values.isolation,
    isUndo: values.undo,
    isCheck: values.check,
    maxPauseSeconds: secondsOf('--max-pause', values['max-pause'], 86_400),
    leaseSeconds: secondsOf('--lease', values.lease, 600),
  };
}

function parsed(argv: readonly string[]) {
  try {
    return parseArgs({ args: [...argv], options: OPTIONS, strict: true }).values;
  } catch (cause) {
    // "Unknown option '--x'" and the like; what follows in the text is advice for programmers.
    const message = cause instanceof Error ? cause.message.split('. ', 1)[0]! : String(cause);
    throw new MoveError('usage', message, { cause });
  }
}

/** A token would be sent along. @throws {MoveError} */
function originOf(name: string, text: string | undefined, isPlainHttpAllowed: boolean): string {
  if (text === undefined) throw new MoveError('usage', `${name} is missing`);
  if (!URL.canParse(text)) throw new MoveError('usage', `${name} is no URL: ${text}`);
  const url = new URL(text);
  const isPlain = url.pathname === '/' && url.search === '' && url.hash === '' && url.username === '';
  if (!isPlain || !/^https?:$/.test(url.protocol)) {
    throw new MoveError('usage', `${name} has to be a scheme, a host and perhaps a port`);
  }
  const isHere = ['localhost', '127.0.0.1', '[::1]'].includes(url.hostname);
  if (url.protocol === 'https:' || isHere || isPlainHttpAllowed) return url.origin;
  throw new MoveError('usage', `${name} is not https: tokens would be readable on the way`, {
    hint: '--allow-http says that this is wanted',
  });
}

function secondsOf(name: string, text: string, most: number): number {
  const seconds = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (seconds >= 1 && seconds <= most) return seconds;
  throw new MoveError('usage', `${name} has to be 1 to ${most} seconds`);
}

function token(env: Readonly<Record<string, string | undefined>>, name: string): string {
  const value = env[name] || undefined;
  const file = env[`${name}_FILE`] || undefined;
  if (value !== undefined && file === undefined) return value;
  if (value === undefined && file !== undefined) return fileOf(`${name}_FILE`, file).trim();
  throw new MoveError('usage', `Set either ${name} or ${name}_FILE`);
}

function jsonOf(name: string, path: string): unknown {
  try {
    return JSON.parse(fileOf(name, path));
  } catch (cause) {
    if (cause instanceof MoveError) throw cause;
    throw new MoveError('usage', `${name}: ${path} is not JSON`, { cause });
  }
}

function fileOf(name: string, path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new MoveError('usage', `${name}: ${path} cannot be read`, { cause });
  }
}
