import { expect, test } from 'vitest';
import { createReport } from '../../report.ts';

test('progress is told once a second for each thing, and no line twice in a row', () => {
  const lines: string[] = [];
  const clock = { nowMs: 0 };
  const report = createReport(
    (text) => lines.push(text),
    () => clock.nowMs,
  );
  report.say('begins');
  report.say('begins');
  for (clock.nowMs = 0; clock.nowMs < 2_000; clock.nowMs += 400) {
    report.progress('here', clock.nowMs / 4_000);
    report.progress('there', clock.nowMs / 2_000);
  }
  report.progress('here', 1);
  expect(lines).toEqual(['begins\n', 'here: 0 %\n', 'there: 0 %\n', 'here: 30 %\n', 'there: 60 %\n']);
});
