import { randomBytes } from 'node:crypto';
import type { MutableStage, Mutation } from './mutation.ts';

const AUTHENTICATE = 'admin-worker/api/authenticate.ts';
/** One more than an address may send in a minute. */
const TOO_MANY = 21;

const list = (stage: MutableStage, token: string | undefined, address: string) =>
  stage.mutants.request('GET', '/v1/tenants', { address, ...(token === undefined ? {} : { token }) });

/** One that nobody has used before. */
const newNetwork = (): string =>
  `2001:db8:${randomBytes(2).toString('hex')}:${randomBytes(2).toString('hex')}`;

/** Who may use the admin API. */
export const ADMIN_API: readonly Mutation[] = [
  {
    defence: 'the admin API asks for its token',
    edits: [
      {
        file: AUTHENTICATE,
        part: 'if (known !== undefined) {',
        instead: 'if (OFF) return next();\n    if (known !== undefined) {',
      },
    ],
    attack: async (stage) => (await list(stage, 'x', `${newNetwork()}::1`)).status === 200,
  },
  {
    defence: 'wrong admin tokens are limited by address',
    edits: [
      {
        file: 'admin-worker/api/rate-limit.ts',
        part: 'if (window.count <= this.#options.maxFailures)',
        instead: 'if (OFF || window.count <= this.#options.maxFailures)',
      },
    ],
    attack: (stage) => mayGoOn(stage, newNetwork(), () => '::1'),
  },
  {
    defence: 'all of an IPv6 network counts as one address',
    edits: [
      {
        file: 'admin-worker/api/rate-limit.ts',
        part: 'const source = sourceOf(address);',
        instead: 'const source = OFF ? address : sourceOf(address);',
      },
    ],
    attack: (stage) => mayGoOn(stage, newNetwork(), (attempt) => `::${(attempt + 1).toString(16)}`),
  },
  {
    defence: 'the right admin token is never held up by wrong ones',
    edits: [
      {
        file: AUTHENTICATE,
        part: 'if (known !== undefined) {\n      //',
        instead:
          "if (OFF && failures.fail(address ?? 'unknown') !== undefined) throw new AdminError('too_many_requests', 'x');\n    if (known !== undefined) {\n      //",
      },
    ],
    async attack(stage) {
      const address = `${newNetwork()}::1`;
      for (let attempt = 0; attempt < TOO_MANY; attempt++) await list(stage, `wrong-${attempt}`, address);
      return (await list(stage, undefined, address)).status === 429;
    },
  },
  {
    defence: 'answers of the admin API are kept by no cache',
    edits: [
      {
        file: 'admin-worker/api/app.ts',
        part: `if (!c.res.headers.has('Cache-Control'))`,
        instead: `if (!OFF && !c.res.headers.has('Cache-Control'))`,
      },
    ],
    attack: async (stage) =>
      (await list(stage, undefined, `${newNetwork()}::1`)).headers.get('cache-control') !== 'no-store',
  },
  {
    defence: 'answers of the admin API are no pages',
    edits: [
      {
        file: 'admin-worker/api/app.ts',
        part: 'for (const [name, value] of SECURITY_HEADERS)',
        instead: 'if (!OFF) for (const [name, value] of SECURITY_HEADERS)',
      },
    ],
    async attack(stage) {
      const { headers } = await list(stage, undefined, `${newNetwork()}::1`);
      return headers.get('x-frame-options') === null || headers.get('content-security-policy') === null;
    },
  },
];

async function mayGoOn(
  stage: MutableStage,
  network: string,
  host: (attempt: number) => string,
): Promise<boolean> {
  let status = 0;
  for (let attempt = 0; attempt < TOO_MANY; attempt++)
    ({ status } = await list(stage, `wrong-${attempt}`, network + host(attempt)));
  return status !== 429;
}
