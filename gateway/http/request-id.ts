import { randomUUID } from 'node:crypto';

// Goes into logs and headers as it is, so it may hold nothing that ends a line or starts another field.
const ACCEPTABLE = /^[\w.:-]{8,128}$/;

/** The id a proxy gave the request, where it is fit to be logged, else a new one. */
export function requestIdOf(header: string | undefined): string {
  return header !== undefined && ACCEPTABLE.test(header) ? header : randomUUID();
}
