import { expect, test } from 'vitest';
import type { Journey } from '../../journey.ts';
import { refuseLongPause } from '../../switch-over.ts';

const journey = { options: { tenant: 'acme', maxPauseSeconds: 60 } } as Journey;
const taking = (seconds: number, leanSeconds = seconds) => ({
  seconds,
  leanSeconds,
  hasSameContents: leanSeconds < seconds,
});

test('writes are not held for a copy that is known to take longer than they may wait', () => {
  const changed = ['table acme.events'];
  expect(() => refuseLongPause(journey, { changed, copy: taking(60.4) })).toThrow(
    expect.objectContaining({
      exitCode: 1,
      message:
        'acme is being written to (table acme.events), and a new copy takes about 61 s, longer than its writes may wait',
      hint: expect.stringContaining('--max-pause 122'),
    }),
  );
  refuseLongPause(journey, { changed, copy: taking(60) });
  // Files and vectors are not sent again, unless it is they that have changed.
  refuseLongPause(journey, { changed, copy: taking(600, 20) });
  expect(() => refuseLongPause(journey, { changed: ['files'], copy: taking(600, 20) })).toThrow(
    /about 600 s/,
  );
  refuseLongPause(journey, { changed: [], copy: taking(3_600) });
});
