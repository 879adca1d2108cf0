import { setTimeout as sleep } from 'node:timers/promises';
import type { SupabaseClient } from '@supabase/supabase-js';

export interface SupabaseLoadReport {
  /** `writer/seq` of what was acknowledged. */
  readonly written: readonly string[];
  readonly reads: number;
  /** Writes that were said not to have happened, and were tried again. */
  readonly refused: number;
  /** Longest time in which no write was acknowledged, in milliseconds. */
  readonly longestPauseMs: number;
  /** Everything else that was answered: nothing of this kind may be. */
  readonly failures: readonly string[];
}

export interface SupabaseLoad {
  /** Resolves when so many more writes were acknowledged. */
  more(writes: number): Promise<void>;
  /** No writes until `resume`; resolves when none is under way. Reads go on. */
  pause(): Promise<void>;
  resume(): void;
  stop(): Promise<SupabaseLoadReport>;
}

const WRITERS = 3;
const READERS = 2;
/** Two cores have other things to do as well. */
const PAUSE_MS = 40;
/** Said of a write that has not happened. */
const NOT_WRITTEN: ReadonlySet<string> = new Set(['GW103', 'GW205']);

/** Writers that number what they write to `events`, and readers of it, until stopped. */
export function startSupabaseLoad(client: SupabaseClient): SupabaseLoad {
  const state = {
    isOver: false,
    isPaused: false,
    underWay: 0,
    reads: 0,
    refused: 0,
    longestPauseMs: 0,
    lastAtMs: performance.now(),
  };
  const written: string[] = [];
  const failures: string[] = [];
  const write = async (writer: number) => {
    for (let seq = 1; !state.isOver; await sleep(PAUSE_MS)) {
      while (state.isPaused && !state.isOver) await sleep(PAUSE_MS);
      if (state.isOver) return;
      state.underWay++;
      const { error, status } = await client.from('events').insert({ writer, seq });
      state.underWay--;
      if (error !== null && NOT_WRITTEN.has(error.code)) {
        state.refused++;
        continue;
      }
      if (error === null) {
        const now = performance.now();
        state.longestPauseMs = Math.max(state.longestPauseMs, now - state.lastAtMs);
        state.lastAtMs = now;
        written.push(`${writer}/${seq}`);
      } else failures.push(`insert ${status} ${JSON.stringify(error)}`);
      seq++;
    }
  };
  const read = async () => {
    for (; !state.isOver; await sleep(PAUSE_MS)) {
      const { error, status } = await client.from('events').select('id').limit(3);
      state.reads++;
      if (error !== null) failures.push(`select ${status} ${JSON.stringify(error)}`);
    }
  };
  const running = [
    ...Array.from({ length: WRITERS }, (_, writer) => write(writer)),
    ...Array.from({ length: READERS }, read),
  ];
  return {
    async more(writes) {
      const enough = written.length + writes;
      while (written.length < enough) await sleep(20);
    },
    async pause() {
      state.isPaused = true;
      while (state.underWay > 0) await sleep(20);
    },
    resume() {
      state.lastAtMs = performance.now();
      state.isPaused = false;
    },
    async stop() {
      state.isOver = true;
      await Promise.all(running);
      const { reads, refused, longestPauseMs } = state;
      return { written, reads, refused, longestPauseMs, failures };
    },
  };
}
