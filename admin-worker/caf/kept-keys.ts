import { z } from 'zod';
import { seal, unsealText } from '../../gateway/registry/sealing.ts';
import { Secret } from '../../gateway/registry/secrets.ts';
import { openArchiveKeys } from '../archive/archive-keys.ts';

const CONTEXT = 'jobs/caf/keys';
const Kept = z.strictObject({ kdf: z.string(), secrets: z.base64(), manifest: z.base64() });

/** Where a job keeps the keys of its archive between two steps, sealed as its passphrase is. */
export interface KeptKeys {
  /** `null`: none are kept. */
  sealedKeys: string | null;
}

/** `openArchiveKeys` that makes the keys of one archive once: that takes a while on purpose. */
export function keptKeys(place: KeptKeys, masterKey: Secret): typeof openArchiveKeys {
  return async (passphrase, kdf) => {
    const text = JSON.stringify(kdf);
    const kept =
      place.sealedKeys === null
        ? undefined
        : Kept.parse(JSON.parse(unsealText(place.sealedKeys, { masterKey, context: CONTEXT })));
    if (kept?.kdf === text) return { secrets: secretOf(kept.secrets), manifest: secretOf(kept.manifest) };
    const keys = await openArchiveKeys(passphrase, kdf);
    const [secrets, manifest] = [keys.secrets, keys.manifest].map((key) =>
      Buffer.from(key.reveal()).toString('base64'),
    );
    place.sealedKeys = seal(JSON.stringify({ kdf: text, secrets, manifest }), {
      masterKey,
      context: CONTEXT,
    });
    return keys;
  };
}

function secretOf(base64: string): Secret<Uint8Array> {
  return new Secret<Uint8Array>(Buffer.from(base64, 'base64'));
}
