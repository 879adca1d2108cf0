import { createHmac } from 'node:crypto';
import { z } from 'zod';
import { seal, unsealText } from '../../gateway/registry/sealing.ts';
import { Secret } from '../../gateway/registry/secrets.ts';
import { BackendsInput } from '../backends/backend-input.ts';

export const Passphrase = z
  .string()
  .min(12)
  .max(1024)
  .describe('Seals keys and secrets in the archive; whoever hydrates it needs it. Not kept');

const CONTEXT = 'jobs/caf/passphrase';
const BACKENDS_CONTEXT = 'jobs/caf/backends';

/** For a job's payload. */
export function sealPassphrase(passphrase: string, masterKey: Secret): string {
  return seal(passphrase, { masterKey, context: CONTEXT });
}

export function openPassphrase(sealed: string, masterKey: Secret): Secret {
  return new Secret(unsealText(sealed, { masterKey, context: CONTEXT }));
}

/** The same for the same secret, and of no use to anybody else. */
export function secretMark(secret: string, masterKey: Secret): string {
  return createHmac('sha256', masterKey.reveal()).update(`${CONTEXT}/${secret}`).digest('hex');
}

/** For a job's payload: backends hold keys. */
export function sealBackends(backends: BackendsInput, masterKey: Secret): string {
  return seal(JSON.stringify(backends), { masterKey, context: BACKENDS_CONTEXT });
}

export function openSealedBackends(sealed: string | null, masterKey: Secret): BackendsInput {
  if (sealed === null) return {};
  return BackendsInput.parse(JSON.parse(unsealText(sealed, { masterKey, context: BACKENDS_CONTEXT })));
}
