const LSN = /^([0-9A-F]{1,8})\/([0-9A-F]{1,8})$/i;

/**
 * A position in PostgreSQL's write-ahead log as a number that can be compared; `undefined` for what is none.
 *
 * @example parseLsn('16/B374D848') // 97500059720n
 */
export function parseLsn(text: string): bigint | undefined {
  const match = LSN.exec(text);
  if (match === null) return undefined;
  return (BigInt(`0x${match[1]}`) << 32n) | BigInt(`0x${match[2]}`);
}
