import { setTimeout as sleep } from 'node:timers/promises';
import type { EjectedTenant, TestGateway } from './ejection.ts';
import { rowsOf } from './ejection.ts';

/** Without a key on writer and number: a write that is applied twice is there twice. */
export const EVENTS_TABLE = `
  CREATE TABLE events (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, writer int NOT NULL, seq int NOT NULL);`;

export interface LoadReport {
  readonly acknowledged: number;
  /** Answered with 503: not written, by what they say, and tried again. */
  readonly refused: number;
  readonly reads: number;
  /** Longest time in which no write of any writer was acknowledged, in milliseconds. */
  readonly longestPauseMs: number;
  /** Other answers to writes, and all but 200 to reads. */
  readonly unexpected: readonly string[];
  /** `writer/seq` of what was answered with 201. */
  readonly written: ReadonlySet<string>;
}

export interface Load {
  stop(): Promise<LoadReport>;
}

const WRITERS = 6;
const READERS = 2;
const RETRY_MS = 20;

/** Writers that number what they write, and readers, without a pause until stopped. */
export function startLoad(gateways: readonly TestGateway[], tenant: EjectedTenant): Load {
  const state = { isOver: false, refused: 0, reads: 0, longestPauseMs: 0, lastAt: performance.now() };
  const written = new Set<string>();
  const unexpected: string[] = [];
  const write = async (writer: number) => {
    const gateway = gateways[writer % gateways.length]!;
    for (let seq = 1; !state.isOver; ) {
      const { status, text, retryAfter } = await gateway.ask(tenant, 'POST', '/events', { writer, seq });
      if (status === 503 && text.includes('GW103') && retryAfter !== undefined) {
        state.refused++;
        await sleep(RETRY_MS);
        continue;
      }
      if (status === 201) {
        written.add(`${writer}/${seq}`);
        const now = performance.now();
        state.longestPauseMs = Math.max(state.longestPauseMs, now - state.lastAt);
        state.lastAt = now;
      } else unexpected.push(`POST ${status} ${text}`);
      seq++;
    }
  };
  const read = async (reader: number) => {
    const gateway = gateways[reader % gateways.length]!;
    while (!state.isOver) {
      const { status, text } = await gateway.ask(tenant, 'GET', '/events?limit=5');
      state.reads++;
      if (status !== 200) unexpected.push(`GET ${status} ${text}`);
    }
  };
  const running = [
    ...Array.from({ length: WRITERS }, (_, writer) => write(writer)),
    ...Array.from({ length: READERS }, (_, reader) => read(reader)),
  ];
  return {
    async stop() {
      state.isOver = true;
      await Promise.all(running);
      const { refused, reads, longestPauseMs } = state;
      return { acknowledged: written.size, refused, reads, longestPauseMs, unexpected, written };
    },
  };
}

/** What is there that was not acknowledged, what is missing, and what is there twice. */
export async function compareWritten(
  databaseUrl: string,
  schema: string,
  { written }: LoadReport,
): Promise<{ lost: readonly string[]; doubled: readonly string[]; unknown: readonly string[] }> {
  const rows = await rowsOf<{ key: string; times: number }>(
    databaseUrl,
    `SELECT writer || '/' || seq AS key, count(*)::int AS times FROM "${schema}".events GROUP BY 1`,
  );
  const found = new Set(rows.map(({ key }) => key));
  return {
    lost: [...written].filter((key) => !found.has(key)),
    doubled: rows.filter(({ times }) => times > 1).map(({ key }) => key),
    unknown: [...found].filter((key) => !written.has(key)),
  };
}
