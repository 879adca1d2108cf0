import { startTestPostgres } from '../support/postgres.ts';
import { openStage } from './support/stage.ts';

/*
 * node test/attacks/answer-times.ts [rounds]
 * Whether the time of a refusal tells how nearly a key was right. Each round asks once for each kind, in another order; for each pair of kinds Welch's t says
 * how many standard errors the means are apart, without the slowest tenth. Below 4.5 nothing is to be seen at this number of rounds.
 */

const ROUNDS = Number(process.argv[2] ?? 5_000);
const KEPT = 0.9;

const server = await startTestPostgres();
const stage = await openStage({ serverUrl: server.url });
const { secret } = stage.keys(stage.victim);
const last = secret.at(-1) === 'A' ? 'B' : 'A';
const kinds: Readonly<Record<string, { readonly host: string; readonly apikey: string }>> = {
  'a key that is wrong from the start': {
    host: `${stage.victim}.localhost`,
    apikey: `sb_secret_${'x'.repeat(31)}`,
  },
  'a key whose last character is wrong': {
    host: `${stage.victim}.localhost`,
    apikey: secret.slice(0, -1) + last,
  },
  'another project’s key': { host: `${stage.victim}.localhost`, apikey: stage.keys(stage.attacker).secret },
  'an unknown host': { host: 'nobody.localhost', apikey: secret },
};
const times = new Map(Object.keys(kinds).map((kind) => [kind, [] as number[]]));

for (let round = 0; round < ROUNDS + 200; round++) {
  const order = Object.entries(kinds).map((kind) => [Math.random(), kind] as const);
  for (const [, [kind, headers]] of order.sort(([a], [b]) => a - b)) {
    const before = process.hrtime.bigint();
    await stage.call(stage.victim, '/secrets', { headers });
    // The first ones warm up.
    if (round >= 200) times.get(kind)!.push(Number(process.hrtime.bigint() - before) / 1_000);
  }
}
const kept = new Map(
  [...times].map(([kind, all]) => [kind, all.sort((a, b) => a - b).slice(0, Math.floor(all.length * KEPT))]),
);
const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;
const variance = (values: readonly number[]): number => {
  const m = mean(values);
  return mean(values.map((value) => (value - m) ** 2));
};
for (const [kind, values] of kept) {
  process.stdout.write(
    `${kind.padEnd(40)} median ${values[Math.floor(values.length / 2)]?.toFixed(1)} µs, mean ${mean(values).toFixed(1)} µs\n`,
  );
}
const [first] = kept;
for (const [kind, values] of [...kept].slice(1)) {
  const error = Math.sqrt(variance(values) / values.length + variance(first![1]) / first![1].length);
  const t = (mean(values) - mean(first![1])) / error;
  process.stdout.write(`${kind} against ${first![0]}: t = ${t.toFixed(2)}\n`);
}
await stage.stop();
await server.stop();
