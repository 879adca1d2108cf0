import { createHmac } from 'node:crypto';

/** HS256 secret of the benchmark's tenant. */
export const BENCH_JWT_SECRET = 'the token secret of the benchmark, long enough';

/** The claim with the role's physical name, for PostgREST, which knows no other. */
export const PHYSICAL_ROLE_CLAIM = 'physical_role';

/** A token of an authenticated user. Of a fixed time, so that a run can be repeated byte by byte. */
export function benchToken(user: number): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const claims = { sub: String(user), role: 'authenticated', [PHYSICAL_ROLE_CLAIM]: 'bench_authenticated' };
  const signed = `${part({ alg: 'HS256', typ: 'JWT' })}.${part(claims)}`;
  return `${signed}.${createHmac('sha256', BENCH_JWT_SECRET).update(signed).digest('base64url')}`;
}
