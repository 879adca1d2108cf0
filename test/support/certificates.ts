import { generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';

/** A certificate and its key, as PEM. */
export interface Certified {
  readonly certificate: string;
  readonly key: string;
}

export interface Authority extends Certified {
  /** A server's certificate for these names; an IPv4 address becomes an address entry. */
  issue(names: readonly string[]): Certified;
}

const DAY_MS = 86_400_000;
/** ecdsa-with-SHA256 */
const ALGORITHM = der(0x30, oid('1.2.840.10045.4.3.2'));
const TRUE = der(0x01, Buffer.from([0xff]));

/** A certificate authority made for a test: no program is needed and nothing is kept. */
export function createAuthority(name: string): Authority {
  const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const isAuthority = der(0x30, oid('2.5.29.19'), TRUE, der(0x04, der(0x30, TRUE)));
  const sign = (subject: string, publicKey: KeyObject, extension: Buffer) =>
    certificate({ issuer: name, subject, publicKey, extension, signer: keys.privateKey });
  return {
    certificate: sign(name, keys.publicKey, isAuthority),
    key: pemOf(keys.privateKey),
    issue(names) {
      const own = generateKeyPairSync('ec', { namedCurve: 'P-256' });
      const alternatives = names.map((one) =>
        /^[\d.]+$/.test(one)
          ? der(0x87, Buffer.from(one.split('.').map(Number)))
          : der(0x82, Buffer.from(one, 'ascii')),
      );
      const extension = der(0x30, oid('2.5.29.17'), der(0x04, der(0x30, ...alternatives)));
      return {
        certificate: sign(names[0] ?? 'server', own.publicKey, extension),
        key: pemOf(own.privateKey),
      };
    },
  };
}

function certificate(parts: {
  issuer: string;
  subject: string;
  publicKey: KeyObject;
  extension: Buffer;
  signer: KeyObject;
}): string {
  const { issuer, subject, publicKey, extension, signer } = parts;
  const body = der(
    0x30,
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, Buffer.concat([Buffer.from([1]), randomBytes(8)])),
    ALGORITHM,
    nameOf(issuer),
    der(0x30, time(Date.now() - DAY_MS), time(Date.now() + DAY_MS)),
    nameOf(subject),
    publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, der(0x30, extension)),
  );
  const signature = der(0x03, Buffer.from([0]), sign('sha256', body, signer));
  const text = der(0x30, body, ALGORITHM, signature).toString('base64').replace(/.{64}/g, '$&\n');
  return `-----BEGIN CERTIFICATE-----\n${text}\n-----END CERTIFICATE-----\n`;
}

function nameOf(commonName: string): Buffer {
  return der(0x30, der(0x31, der(0x30, oid('2.5.4.3'), der(0x0c, Buffer.from(commonName)))));
}

function time(ms: number): Buffer {
  const digits = new Date(ms).toISOString().replace(/\D/g, '').slice(2, 14);
  return der(0x17, Buffer.from(`${digits}Z`));
}

function pemOf(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }).toString();
}

/** One DER element: tag, length, contents. */
function der(tag: number, ...contents: readonly Buffer[]): Buffer {
  const content = Buffer.concat(contents);
  const { length } = content;
  const size = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}

function oid(text: string): Buffer {
  const [first = 0, second = 0, ...rest] = text.split('.').map(Number);
  const bytes = [first * 40 + second];
  for (const part of rest) {
    const groups = [part & 0x7f];
    for (let left = part >> 7; left > 0; left >>= 7) groups.unshift((left & 0x7f) | 0x80);
    bytes.push(...groups);
  }
  return der(0x06, Buffer.from(bytes));
}
