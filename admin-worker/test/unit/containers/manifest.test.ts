import { createHash, createHmac } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Secret } from '../../../../gateway/registry/secrets.ts';
import {
  FILE_KINDS,
  isFileName,
  type Manifest,
  type ManifestFile,
  parseManifest,
  payloadDigest,
  renderManifest,
} from '../../../containers/manifest.ts';

const KEY = new Secret('a key of thirty-two characters..');
const sha = (text: string) => createHash('sha256').update(text).digest('hex');

function aManifest(files: readonly ManifestFile[]): Manifest {
  return {
    pg: 17,
    arch: 'x86_64',
    libc: 'glibc',
    core: 'sha256:1234',
    image: `localhost:5000/postgis@sha256:${sha('image')}`,
    bundle: 'postgis',
    digest: payloadDigest(files),
    extensions: ['postgis', 'postgis_topology'],
    files,
  };
}

const FILES: readonly ManifestFile[] = [
  { sha256: sha('a'), kind: 'module', name: 'postgis-3.so' },
  { sha256: sha('b'), kind: 'data', name: 'proj/proj.db' },
  { sha256: sha('c'), kind: 'control', name: 'postgis.control' },
];

test('a manifest is this text', () => {
  const body = `cascata-phantom 1
pg 17
arch x86_64
libc glibc
core sha256:1234
image localhost:5000/postgis@sha256:${sha('image')}
bundle postgis
digest ${payloadDigest(FILES)}
extensions postgis postgis_topology
file ${sha('a')} module postgis-3.so
file ${sha('b')} data proj/proj.db
file ${sha('c')} control postgis.control
`;
  const signature = createHmac('sha256', KEY.reveal()).update(body).digest('hex');
  expect(renderManifest(aManifest(FILES), KEY)).toBe(`${body}signature ${signature}\nend 3\n`);
});

test('what is written is read back', () => {
  const file = fc
    .record({
      sha256: fc.string().map(sha),
      kind: fc.constantFrom(...FILE_KINDS),
      name: fc.stringMatching(/^[a-z0-9_][a-z0-9_+-]{0,20}$/),
    })
    .filter(({ kind, name }) => isFileName(kind, name));
  const files = fc.uniqueArray(file, { selector: ({ kind, name }) => `${kind}/${name}`, maxLength: 20 });
  fc.assert(
    fc.property(files, (some) => {
      expect(parseManifest(renderManifest(aManifest(some), KEY), KEY)).toEqual(aManifest(some));
    }),
  );
});

test('a manifest with any one character changed, or cut anywhere, is refused', () => {
  const text = renderManifest(aManifest(FILES), KEY);
  for (let at = 0; at < text.length; at++) {
    const other = text[at] === 'a' ? 'b' : 'a';
    expect(() => parseManifest(text.slice(0, at) + other + text.slice(at + 1), KEY)).toThrow();
    expect(() => parseManifest(text.slice(0, at), KEY)).toThrow();
  }
});

test('a manifest signed with another key is refused', () => {
  const text = renderManifest(aManifest(FILES), new Secret('another key'));
  expect(() => parseManifest(text, KEY)).toThrow('the signature is not by the key');
});

test.each(['../etc/passwd', '-rf', 'a b', 'a\nb', '$(id)', '', '.hidden', 'a/b', '..', 'a;b', "a'b"])(
  'no module is called %j',
  (name) => {
    expect(isFileName('module', name)).toBe(false);
    const files: ManifestFile[] = [{ sha256: sha('x'), kind: 'module', name }];
    expect(() => renderManifest(aManifest(files), KEY)).toThrow();
  },
);

test.each(['proj/../../x', '/proj', 'proj/', 'proj//x', 'proj/.x'])('no data file is called %j', (name) => {
  expect(isFileName('data', name)).toBe(false);
});

test('the digest does not depend on the order of files', () => {
  expect(payloadDigest(FILES.toReversed())).toBe(payloadDigest(FILES));
  expect(payloadDigest(FILES.slice(1))).not.toBe(payloadDigest(FILES));
});
