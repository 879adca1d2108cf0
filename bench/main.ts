import { type BenchArguments, readArguments } from './arguments.ts';
import { type BenchDatabase, provisionByHand, startDatabase } from './database.ts';
import { chooseLoadGenerator } from './load.ts';
import { measureScenario } from './measure.ts';
import { type Measurement, ratiosOf, renderReport } from './report.ts';
import { MANY_TENANTS, MANY_TENANTS_SQL } from './scenarios.ts';
import { joinSchedulingGroup } from './scheduling-group.ts';
import { startFloor, startGateways, startPostgrest, type Target } from './targets.ts';

/** Everything goes to standard error but the report, so that `--json` can be piped. */
function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

async function bench(options: BenchArguments, database: BenchDatabase): Promise<readonly Measurement[]> {
  const wants = (name: (typeof options.targets)[number]) => options.targets.includes(name);
  const started: Target[] = [];
  try {
    const needsManyTenants = options.scenarios.some((scenario) => scenario.needsManyTenants);
    // The gateway first: starting it makes the tenant that the others read, and the registry that many of them are entered in.
    if (wants('gateway') || wants('gateway-sealed') || wants('gateway-pgbouncer') || needsManyTenants) {
      const { targets, missing } = await startGateways(database, {
        withPgBouncer: wants('gateway-pgbouncer'),
      });
      started.push(...targets);
      if (missing !== undefined) say(`*** NOT MEASURED BEHIND PgBouncer: ${missing} ***`);
    } else await provisionByHand(database);
    if (needsManyTenants) {
      say(`making ${MANY_TENANTS.length} tenants of 20 tables`);
      await database.makeTenants(MANY_TENANTS, MANY_TENANTS_SQL);
    }
    await database.runShared('VACUUM ANALYZE');
    if (wants('postgrest')) {
      const postgrest = await startPostgrest(database);
      if (typeof postgrest === 'string') say(`*** NOT COMPARED WITH PostgREST: ${postgrest} ***`);
      else started.push(postgrest);
    }
    const load = await chooseLoadGenerator();
    say(
      `load from ${load.name}, ${options.connections} connections, ${options.rounds} rounds of ${options.seconds} s`,
    );
    const measurements: Measurement[] = [];
    for (const scenario of options.scenarios) {
      const floor = wants('floor') ? await startFloor(database, scenario) : undefined;
      try {
        const servers = floor === undefined ? started : [floor, ...started];
        // The others know one tenant each.
        const targets = servers.filter(
          ({ name }) =>
            wants(name) &&
            (!scenario.needsManyTenants || (name !== 'postgrest' && name !== 'gateway-sealed')),
        );
        const context = { database, generate: load.generate, options, say };
        measurements.push(...(await measureScenario(scenario, targets, context)));
      } finally {
        await floor?.stop();
      }
    }
    return measurements;
  } finally {
    for (const target of started) await target.stop();
  }
}

async function main(): Promise<void> {
  const options = readArguments(process.argv.slice(2));
  const group = joinSchedulingGroup();
  if (typeof group === 'string') {
    say(
      `*** REQUESTS/S AND LATENCIES DEPEND ON WHICH PROCESSES SHARE A CORE (sched_autogroup): ${group} ***`,
    );
  }
  const database = await startDatabase(options.delayMs);
  try {
    const measurements = await bench(options, database);
    const report = options.isJson
      ? JSON.stringify({ measurements, ratios: ratiosOf(measurements) }, undefined, 2)
      : renderReport(measurements);
    process.stdout.write(`${report}\n`);
  } finally {
    await database.stop();
    if (typeof group !== 'string') group.leave();
  }
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
try {
  await main();
} catch (error) {
  say(error instanceof Error ? error.message : String(error));
  // Ends what was started and not heard of any more: children end with their parent.
  process.exit(1);
}
