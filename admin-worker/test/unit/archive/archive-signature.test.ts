import { createHash, createPublicKey, generateKeyPairSync, verify } from 'node:crypto';
import { expect, test } from 'vitest';
import { Secret } from '../../../../gateway/registry/secrets.ts';
import { type ArchiveSigner, archiveSigner } from '../../../archive/archive-signature.ts';
import { encodeJson, type Signature } from '../../../archive/format.ts';
import { aMember, anArchive, END, membersOf, verdictOn, withArchive } from '../../support/archives.ts';

const ENTRIES = [{ name: 'tenant', content: [Buffer.from('{"id":"acme"}')] }];

function aSigner(): { signer: ArchiveSigner; pem: string } {
  const pem = generateKeyPairSync('ed25519').privateKey.export({ format: 'pem', type: 'pkcs8' }).toString();
  return { signer: archiveSigner(new Secret(pem)), pem };
}

/** The archive with another last member. */
function withSignature(archive: Buffer, signature: Buffer | undefined): Buffer {
  const kept = membersOf(archive).filter(({ name }) => name !== 'signature.json');
  const parts = kept.map(({ raw }) => raw);
  if (signature !== undefined) parts.push(aMember('signature.json', signature));
  return Buffer.concat([...parts, END]);
}

test('an archive of a trusted installation is taken, one of another or of nobody is not', async () => {
  const { signer } = aSigner();
  const { signer: other } = aSigner();
  const signed = await anArchive(ENTRIES, signer);
  const trustedKeys = [other.publicKey, signer.publicKey];
  expect(await verdictOn(signed, { trustedKeys })).toBe('accepted');
  expect(await verdictOn(signed)).toBe('accepted');
  expect(await withArchive(signed, async ({ scanned }) => scanned.signedBy)).toBe(signer.publicKey);
  expect(await verdictOn(signed, { trustedKeys: [other.publicKey] })).toBe('untrusted-key');
  const unsigned = await anArchive(ENTRIES);
  expect(await verdictOn(unsigned)).toBe('accepted');
  expect(await verdictOn(unsigned, { trustedKeys })).toBe('not-signed');
  expect(await verdictOn(withSignature(signed, undefined), { trustedKeys })).toBe('not-signed');
});

test('a signature of something else, or under another name, is refused though nobody asked for one', async () => {
  const { signer } = aSigner();
  const { signer: other } = aSigner();
  const signed = await anArchive(ENTRIES, signer);
  const manifest = membersOf(signed).find(({ name }) => name === 'manifest.json')!.bytes;
  const digest = createHash('sha256').update(manifest).digest('hex');
  const right = signer.sign(digest);
  const verdict = (signature: Signature) => verdictOn(withSignature(signed, encodeJson(signature)));
  expect(await verdict(right)).toBe('accepted');
  expect(await verdict(signer.sign('0'.repeat(64)))).toBe('wrong-signature');
  expect(await verdict({ ...right, key: other.publicKey })).toBe('wrong-signature');
  expect(await verdict({ ...right, key: `ed25519:${Buffer.alloc(32, 255).toString('base64')}` })).toBe(
    'wrong-signature',
  );
  const another = await anArchive([{ name: 'tenant', content: [Buffer.from('{"id":"evil"}')] }], signer);
  const stolen = membersOf(another).find(({ name }) => name === 'signature.json')!.bytes;
  expect(await verdictOn(withSignature(signed, stolen))).toBe('wrong-signature');
});

test('no byte of a signature is without meaning, and it stands at its own place', async () => {
  const signed = await anArchive(ENTRIES, aSigner().signer);
  const at = signed.lastIndexOf('signature.json');
  for (let byte = at; byte < signed.length; byte += 7) {
    const flipped = Buffer.from(signed);
    flipped[byte]! ^= 1 << (byte % 8);
    expect(await verdictOn(flipped), `byte ${byte}`).not.toBe('accepted');
  }
  const members = membersOf(signed);
  const signature = members.find(({ name }) => name === 'signature.json')!.raw;
  const rest = members.filter(({ name }) => name !== 'signature.json').map(({ raw }) => raw);
  const early = Buffer.concat([...rest.slice(0, -1), signature, ...rest.slice(-1), END]);
  expect(await verdictOn(early)).toBe('unexpected-member');
  expect(await verdictOn(Buffer.concat([...rest, signature, signature, END]))).toBe('unexpected-member');
});

test('a signature is Ed25519 of the text that the specification names, and other keys make none', () => {
  const { signer, pem } = aSigner();
  const digest = 'ab'.repeat(32);
  const { key, signature } = signer.sign(digest);
  const raw = createPublicKey(pem).export({ format: 'der', type: 'spki' }).subarray(-32);
  expect(key).toBe(`ed25519:${raw.toString('base64')}`);
  const text = Buffer.from(`caf/1/signature/${digest}`);
  expect(verify(null, text, createPublicKey(pem), Buffer.from(signature, 'base64'))).toBe(true);
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
  const other = rsa.export({ format: 'pem', type: 'pkcs8' }).toString();
  expect(() => archiveSigner(new Secret(other))).toThrow('not an Ed25519 key');
});
