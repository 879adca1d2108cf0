import type { Context } from 'hono';
import type { z } from 'zod';
import { AdminError, type InputProblem } from './admin-error.ts';

/**
 * Parses a JSON body.
 *
 * @throws {AdminError} `invalid_request` that names every problem with its path
 */
export async function readBody<T extends z.ZodType>(context: Context, schema: T): Promise<z.output<T>> {
  const text = await context.req.text();
  let json: unknown;
  try {
    json = text === '' ? {} : JSON.parse(text);
  } catch (cause) {
    throw new AdminError('invalid_request', 'The body is not JSON', { cause });
  }
  return parseInput(schema, json, 'The body is not valid');
}

/** Parses query parameters. @throws {AdminError} `invalid_request` */
export function readQuery<T extends z.ZodType>(context: Context, schema: T): z.output<T> {
  return parseInput(schema, context.req.query(), 'The query string is not valid');
}

function parseInput<T extends z.ZodType>(schema: T, input: unknown, message: string): z.output<T> {
  const result = schema.safeParse(input);
  if (result.success) return result.data;
  throw new AdminError('invalid_request', message, { details: result.error.issues.flatMap(problemsOf) });
}

function problemsOf(issue: z.core.$ZodIssue): InputProblem[] {
  const path = issue.path.map(String);
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({ path: [...path, key].join('.'), message: 'is not known here' }));
  }
  return [{ path: path.join('.'), message: issue.message }];
}
