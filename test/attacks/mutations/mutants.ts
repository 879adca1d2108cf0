import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type {
  AdminHarness,
  Answer,
  RequestOptions,
} from '../../../admin-worker/test/support/admin-harness.ts';
import type { FromMutants, ToMutants } from './mutant-messages.ts';
import type { MutantGateway, SourceEdit } from './mutation.ts';

/** A process that runs gateway, admin API and job runner from sources in which any one defence can be switched off. */
export interface Mutants {
  readonly port: number;
  /** @param off the defence; `undefined`: all are in force. @param gateway it begins anew, with these settings */
  switch(off: string | undefined, gateway: MutantGateway | undefined): Promise<void>;
  /** A request to its admin API; `address`: the peer's, as it is made to believe. */
  request(
    method: string,
    path: string,
    options?: RequestOptions & { readonly address?: string },
  ): Promise<Pick<Answer, 'status' | 'headers' | 'text'>>;
  /** How often keys were compared in constant time since the last call. */
  countComparisons(): Promise<number>;
  close(): Promise<void>;
}

export async function startMutants(
  admin: AdminHarness,
  edits: readonly (readonly [defence: string, edits: readonly SourceEdit[]])[],
): Promise<Mutants> {
  const file = fileURLToPath(new URL('./mutant-process.ts', import.meta.url));
  const child = fork(file, [], { execArgv: [], stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  const { controlUrl, sharedDatabase, sharedUrl, adminToken, dataDir } = admin;
  const masterKey = admin.masterKey.reveal();
  const open = { controlUrl, sharedDatabase, sharedUrl, masterKey, adminToken, dataDir, edits };
  let state = await ask(child, { kind: 'open', open });
  return {
    get port() {
      return state.gatewayPort;
    },
    async switch(off, gateway) {
      state = await ask(child, { kind: 'switch', off, gateway });
    },
    async request(method, path, { body, token = adminToken, headers = {}, address } = {}) {
      const response = await fetch(`http://127.0.0.1:${state.adminPort}${path}`, {
        method,
        headers: {
          authorization: `Bearer ${token}`,
          ...(address === undefined ? {} : { 'x-test-address': address }),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      return { status: response.status, headers: response.headers, text: await response.text() };
    },
    countComparisons: async () => (await ask(child, { kind: 'count-comparisons' })).comparisons,
    close() {
      return new Promise((resolve) => {
        child.once('exit', () => resolve());
        child.disconnect();
      });
    },
  };
}

/** One question at a time. */
function ask(child: ChildProcess, message: ToMutants): Promise<FromMutants> {
  return new Promise((resolve, reject) => {
    const onExit = (code: number | null): void =>
      reject(new Error(`the process of the mutants ended with ${code}`));
    child.once('exit', onExit);
    child.once('message', (answer: FromMutants) => {
      child.off('exit', onExit);
      if (answer.error === undefined) resolve(answer);
      else reject(new Error(answer.error));
    });
    child.send(message);
  });
}
