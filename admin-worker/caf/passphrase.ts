import { createHmac } from 'node:crypto';
import { z } from 'zod';
import { seal, unsealText } from '../../gateway/registry/sealing.ts';
import { Secret } from '../../gateway/registry/secrets.ts';

export const Passphrase = z
  .string()
  .min(12)
  .max(1024)
  .describe('Seals keys and secrets in the archive; whoever hydrates it needs it. Not kept');

const CONTEXT = 'jobs/caf/passphrase';

/** For a job's payload. */
export function sealPassphrase(passphrase: string, masterKey: Secret): string {
  return seal(passphrase, { masterKey, context: CONTEXT });
}

export function openPassphrase(sealed: string, masterKey: Secret): Secret {
  return new Secret(unsealText(sealed, { masterKey, context: CONTEXT }));
}

/** The same for the same passphrase, and of no use to anybody else. */
export function passphraseMark(passphrase: string, masterKey: Secret): string {
  return createHmac('sha256', masterKey.reveal()).update(`${CONTEXT}/${passphrase}`).digest('hex');
}
