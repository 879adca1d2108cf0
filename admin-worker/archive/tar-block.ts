import { ArchiveError } from './archive-error.ts';

/*
 * The one way a tar member's header may be written in an archive: ustar, a plain file, mode 0644, owner 0, time 0. A reader of tar has to guess
 * (sparse files, three ways of long names, base-256 numbers, several checksums), and what two readers guess differently is where attacks live. So
 * the reader here writes the header it expects and compares all 512 bytes.
 */

export const BLOCK_BYTES = 512;

const TYPES: Readonly<Record<string, string>> = {
  '1': 'a hard link',
  '2': 'a symbolic link',
  '3': 'a character device',
  '4': 'a block device',
  '5': 'a directory',
  '6': 'a pipe',
  x: 'an extended header',
  g: 'a global header',
  L: 'a long name',
  K: 'a long link name',
  S: 'a sparse file',
};

/** @param name at most 99 bytes of ASCII */
export function encodeTarHeader(name: string, size: number): Buffer {
  const block = Buffer.alloc(BLOCK_BYTES);
  block.write(name, 0, 'latin1');
  block.write('0000644\0', 100, 'latin1');
  block.write('0000000\0', 108, 'latin1');
  block.write('0000000\0', 116, 'latin1');
  block.write(`${octal(size, 11)}\0`, 124, 'latin1');
  block.write('00000000000\0', 136, 'latin1');
  block.write('0', 156, 'latin1');
  block.write('ustar\x0000', 257, 'latin1');
  block.write(`${octal(checksum(block), 6)}\0 `, 148, 'latin1');
  return block;
}

/** @throws {ArchiveError} that says what the member is instead of a plain file */
export function decodeTarHeader(block: Buffer): { readonly name: string; readonly size: number } {
  const name = textAt(block, 0, 100);
  const size = Number.parseInt(textAt(block, 124, 12), 8);
  const stored = Number.parseInt(textAt(block, 148, 8), 8);
  const shown = JSON.stringify(name.slice(0, 100));
  if (checksum(block) !== stored) {
    throw new ArchiveError('damaged', `The header of the member ${shown} does not match its checksum`);
  }
  const type = TYPES[String.fromCharCode(block[156]!)];
  if (type !== undefined) throw new ArchiveError('unsafe-member', `The member ${shown} is ${type}`);
  if (name.startsWith('/') || name.includes('\\') || name.split('/').some((part) => /^\.{0,2}$/.test(part))) {
    throw new ArchiveError('unsafe-member', `The member ${shown} has a name that leads elsewhere`);
  }
  if (!Number.isSafeInteger(size) || size < 0 || !encodeTarHeader(name, size).equals(block)) {
    throw new ArchiveError('unsafe-member', `The header of the member ${shown} is not a plain one`);
  }
  return { name, size };
}

/** Bytes that fill a member of this size up to whole blocks. */
export function paddingOf(size: number): number {
  return (BLOCK_BYTES - (size % BLOCK_BYTES)) % BLOCK_BYTES;
}

function octal(value: number, digits: number): string {
  return value.toString(8).padStart(digits, '0');
}

/** Sum of the header's bytes, its own field counted as spaces. */
function checksum(block: Buffer): number {
  let sum = 0;
  for (let i = 0; i < BLOCK_BYTES; i++) sum += i >= 148 && i < 156 ? 32 : block[i]!;
  return sum;
}

function textAt(block: Buffer, start: number, length: number): string {
  const field = block.subarray(start, start + length);
  const end = field.indexOf(0);
  return field.toString('latin1', 0, end === -1 ? length : end);
}
