import { createServer } from 'node:http';
import { BatchWriter } from '../gateway/execute/batch-writer.ts';
import { connectOptions } from '../gateway/execute/connect-options.ts';
import { Connection } from '../gateway/execute/connection.ts';
import { TrustedRoleSwitch } from '../gateway/execute/role-switch/trusted.ts';
import { Secret } from '../gateway/registry/secrets.ts';
import { BENCH_HOST, BENCH_TENANT } from './scenarios.ts';

/**
 * The least that any gateway of this design can do: node:http in front, one batch with fixed SQL behind, nothing between. It has no
 * tenants, authentication, parsing, plan, limits or errors. What the gateway costs above it is what those cost.
 *
 * A process of its own: FLOOR_URL (DSN), FLOOR_SQL, FLOOR_PORT, FLOOR_CONNECTIONS.
 */
async function main(env: NodeJS.ProcessEnv): Promise<void> {
  const writer = new BatchWriter();
  const config = connectOptions(new Secret(env.FLOOR_URL ?? ''), {
    applicationName: 'floor',
    connectTimeoutMs: 5_000,
  });
  const open = () => Connection.open(config, { writer, maxPreparedStatements: 10 });
  const idle = await Promise.all(Array.from({ length: Number(env.FLOOR_CONNECTIONS) }, open));
  const waiting: ((connection: Connection) => void)[] = [];
  const plan = new TrustedRoleSwitch().planBatch({
    accessMode: 'read only',
    role: `${BENCH_TENANT}_anon`,
    isolationLevel: undefined,
    end: 'commit',
    variables: [
      ['search_path', `"${BENCH_TENANT}"`],
      ['request.jwt.claims', '{"role":"anon"}'],
      ['request.method', 'GET'],
      ['request.path', '/items'],
      ['request.headers', `{"host":"${BENCH_HOST}","accept":"application/json"}`],
      ['request.cookies', '{}'],
    ],
    statements: [],
    statementTimeoutMs: 15_000,
  });
  const text = env.FLOOR_SQL ?? '';

  const run = async (id: string): Promise<string> => {
    const connection = idle.pop() ?? (await new Promise<Connection>((resolve) => waiting.push(resolve)));
    try {
      const statements = [...plan.statements, { text, values: [id] }];
      const results = await connection.submit({ ...plan, statements }, true).result;
      return results[0]?.rows[0]?.[2] ?? '';
    } finally {
      const next = waiting.shift();
      if (next === undefined) idle.push(connection);
      else next(connection);
    }
  };
  const server = createServer((request, response) => {
    const id = /\d+/.exec(request.url ?? '')?.[0] ?? '1';
    run(id).then(
      (body) => {
        response.writeHead(200, {
          'Content-Type': 'application/json; charset=utf-8',
          'Content-Range': '0-0/*',
          'Content-Length': Buffer.byteLength(body),
        });
        response.end(body);
      },
      () => {
        response.statusCode = 500;
        response.end();
      },
    );
  });
  server.listen(Number(env.FLOOR_PORT), '127.0.0.1');
}

await main(process.env);
