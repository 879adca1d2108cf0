import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { MoveError } from '../../move-error.ts';
import { readMoveOptions } from '../../move-options.ts';

const TOKENS = { CASCATA_FROM_TOKEN: 'one', CASCATA_TO_TOKEN: 'two' };
const WHERE = ['--from', 'https://admin.a', '--to', 'https://admin.b', '--tenant', 'acme'];

/** The sentence that refuses a command line. */
function refusal(argv: readonly string[], env: Readonly<Record<string, string>> = TOKENS): string {
  try {
    readMoveOptions(argv, env);
  } catch (error) {
    if (error instanceof MoveError && error.exitCode === 2) return error.message;
    throw error;
  }
  return 'accepted';
}

describe('the command line', () => {
  test('names two installations and a tenant; tokens come from the environment or from files', () => {
    const directory = mkdtempSync(join(tmpdir(), 'cascata-move-'));
    onTestFinished(() => rmSync(directory, { recursive: true }));
    const file = join(directory, 'token');
    writeFileSync(file, 'from a file\n');
    const env = { CASCATA_FROM_TOKEN: 'one', CASCATA_TO_TOKEN_FILE: file };
    expect(readMoveOptions([...WHERE, '--gateway', 'https://gateway.b:8443/'], env)).toEqual({
      from: 'https://admin.a',
      to: 'https://admin.b',
      tenant: 'acme',
      fromToken: 'one',
      toToken: 'from a file',
      gateway: 'https://gateway.b:8443',
      gatewayCa: undefined,
      isPlainHttpAllowed: false,
      backends: undefined,
      isolation: undefined,
      isUndo: false,
      isCheck: false,
      maxPauseSeconds: 60,
      leaseSeconds: 60,
    });
    expect(readMoveOptions(['--help'], {})).toBeUndefined();
  });

  test.each([
    [['--tennant', 'acme'], "Unknown option '--tennant'"],
    [['--to', 'https://admin.b', '--tenant', 'acme'], '--from is missing'],
    [[...WHERE, '--to', 'https://admin.a'], '--from and --to are the same installation'],
    [[...WHERE, '--to', 'http://admin.b'], '--to is not https: tokens would be readable on the way'],
    [[...WHERE, '--to', 'https://admin.b/v1'], '--to has to be a scheme, a host and perhaps a port'],
    [[...WHERE, '--to', 'https://u:p@admin.b'], '--to has to be a scheme, a host and perhaps a port'],
    [[...WHERE, '--to', 'admin.b'], '--to is no URL: admin.b'],
    [[...WHERE, '--tenant', 'Acme'], '--tenant has to be the id of a tenant'],
    [[...WHERE, '--lease', '0'], '--lease has to be 1 to 600 seconds'],
    [[...WHERE, '--max-pause', '1m'], '--max-pause has to be 1 to 86400 seconds'],
    [[...WHERE, '--check', '--undo'], '--undo and --check exclude each other'],
    [[...WHERE, '--gateway-ca', '/no/such/file'], '--gateway-ca: /no/such/file cannot be read'],
  ])('%j is refused', (argv, sentence) => {
    expect(refusal(argv)).toBe(sentence);
  });

  test('a token is given once', () => {
    expect(refusal(WHERE, { CASCATA_FROM_TOKEN: 'one' })).toBe(
      'Set either CASCATA_TO_TOKEN or CASCATA_TO_TOKEN_FILE',
    );
    expect(refusal(WHERE, { ...TOKENS, CASCATA_TO_TOKEN_FILE: '/x' })).toBe(
      'Set either CASCATA_TO_TOKEN or CASCATA_TO_TOKEN_FILE',
    );
  });

  test('plain http is for this machine, or for whoever says so', () => {
    const local = ['--from', 'http://127.0.0.1:1', '--to', 'http://localhost:2', '--tenant', 'acme'];
    expect(refusal(local)).toBe('accepted');
    expect(refusal([...WHERE, '--to', 'http://admin.b', '--allow-http'])).toBe('accepted');
  });
});
