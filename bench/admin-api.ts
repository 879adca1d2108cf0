import { FIXTURE_SQL } from './scenarios.ts';
import { BENCH_JWT_SECRET } from './tokens.ts';

const JOB_POLL_MS = 100;
const JOB_TIMEOUT_MS = 60_000;

/** Makes a tenant of the benchmark as an operator would: through the admin API. @throws {Error} with the API's own words */
export async function createBenchTenant(
  { url, token }: { url: string; token: string },
  { id, host, isolation }: { id: string; host: string; isolation: 'sealed' | 'trusted' },
): Promise<void> {
  const call = async (method: 'GET' | 'POST', path: string, body?: object): Promise<unknown> => {
    const response = await fetch(url + path, {
      method,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return JSON.parse(text);
  };
  await call('POST', '/v1/tenants', {
    id,
    hosts: [host],
    placement: { kind: 'shared' },
    isolation,
    jwt: { secret: BENCH_JWT_SECRET },
  });
  const accepted = await call('POST', `/v1/tenants/${id}/migrations`, {
    migrations: [{ name: '202611220001__bench.sql', sql: `-- UP\n${FIXTURE_SQL}\n-- DOWN\nSELECT 1;` }],
  });
  const job = jobOf(accepted).id;
  const deadline = Date.now() + JOB_TIMEOUT_MS;
  for (;;) {
    const answer = await call('GET', `/v1/jobs/${job}`);
    const { state } = jobOf(answer);
    if (state === 'completed') return;
    if (state === 'failed' || state === 'cancelled' || Date.now() > deadline) {
      throw new Error(`the fixture's migration did not complete: ${JSON.stringify(answer)}`);
    }
    await new Promise((resolve) => setTimeout(resolve, JOB_POLL_MS));
  }
}

function jobOf(answer: unknown): { readonly id: string; readonly state: string } {
  if (typeof answer === 'object' && answer !== null && 'job' in answer) {
    const { job } = answer;
    if (typeof job === 'object' && job !== null && 'id' in job && 'state' in job) {
      return { id: String(job.id), state: String(job.state) };
    }
  }
  throw new Error(`no job in the answer: ${JSON.stringify(answer)}`);
}
