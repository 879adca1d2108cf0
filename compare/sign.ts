import { createHmac } from 'node:crypto';
import { COMPARE_JWT_SECRET } from './settings.ts';

/** HS256 with the secret of both servers. */
export function signClaims(claims: unknown, secret: string = COMPARE_JWT_SECRET): string {
  const signed = [{ alg: 'HS256', typ: 'JWT' }, claims]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.');
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
}
