import { request } from 'node:http';
import type { Scenario } from './scenarios.ts';
import type { Target } from './targets.ts';

const SHOWN_CHARACTERS = 500;

/** Sends a scenario's first request once. @throws {Error} with the answer when it is not 2xx: its speed would mean nothing */
export async function probe(target: Target, scenario: Scenario): Promise<void> {
  const [first] = scenario.requests;
  const path = target.prefix + (first?.path ?? '');
  const { status, text } = await new Promise<{ status: number; text: string }>((resolve, reject) => {
    const sent = request(
      {
        host: '127.0.0.1',
        port: target.port,
        path,
        method: scenario.method,
        headers: { ...scenario.headers, ...first?.headers, host: first?.host ?? target.host },
      },
      (response) => {
        let body = '';
        response.setEncoding('utf8').on('data', (chunk: string) => {
          body += chunk;
        });
        response.on('end', () => resolve({ status: response.statusCode ?? 0, text: body }));
      },
    );
    sent.on('error', reject);
    sent.end(first?.body);
  });
  if (status < 200 || status > 299) {
    throw new Error(
      `${scenario.name}: ${target.name} answers ${path} with ${status}: ${text.slice(0, SHOWN_CHARACTERS)}`,
    );
  }
}
