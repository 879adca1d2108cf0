import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { BatchWriter } from '../gateway/execute/batch-writer.ts';
import { Connection } from '../gateway/execute/connection.ts';
import type { BatchPlan } from '../gateway/execute/role-switch/role-switch.ts';
import { TrustedRoleSwitch } from '../gateway/execute/role-switch/trusted.ts';
import { connectOptions } from '../gateway/platform/connect-options.ts';
import { TurnWrites } from '../gateway/platform/turn-writes.ts';
import { Secret } from '../gateway/registry/secrets.ts';
import { BENCH_HOST, BENCH_TENANT, type FloorStatement } from './scenarios.ts';

/** Connections and who waits for one of them. */
class Line {
  readonly idle: Connection[];
  readonly waiting: ((connection: Connection) => void)[] = [];

  constructor(connections: readonly Connection[]) {
    this.idle = [...connections];
  }
}

/** What is known of a tenant from its first request on: the only thing that a host says here. */
interface FloorTenant {
  readonly plan: BatchPlan;
  readonly text: string;
  readonly line: Line;
}

/** The settings are those that the gateway sends for the tenant's first request, and stay the same from then on. */
function prepareTenant(
  { method = 'GET', url = '', headers }: IncomingMessage,
  { sql, accessMode }: FloorStatement,
  line: Line,
): FloorTenant {
  const tenant = (headers.host ?? BENCH_HOST).split('.', 1)[0] ?? '';
  const claims = claimsOf(headers.authorization);
  const { role }: { role: string } = JSON.parse(claims);
  const plan = new TrustedRoleSwitch().planBatch({
    accessMode,
    role: `${tenant}_${role}`,
    isolationLevel: undefined,
    end: 'commit',
    variables: [
      ['search_path', `"${tenant}", "extensions"`],
      ['request.jwt.claims', claims],
      ['request.method', method],
      ['request.path', url.split('?', 1)[0] ?? ''],
      ['request.headers', JSON.stringify(headers)],
      ['request.cookies', '{}'],
    ],
    statements: [],
    statementTimeoutMs: 15_000,
  });
  return { plan, text: sql.replaceAll(`"${BENCH_TENANT}"`, `"${tenant}"`), line };
}

/** Taken from the token as they are: nothing is verified. */
function claimsOf(authorization: string | undefined): string {
  const payload = authorization?.split('.')[1];
  return payload === undefined ? '{"role":"anon"}' : Buffer.from(payload, 'base64url').toString();
}

/**
 * The least that any gateway of this design can do: node:http in front, one batch with fixed SQL behind, writes at the end of the turn, nothing between. It has no
 * tenants, authentication, parsing, plan, limits or errors. What the gateway costs above it is what those cost.
 *
 * A process of its own: FLOOR_URL (DSN), FLOOR_STATEMENT (JSON of a `FloorStatement`), FLOOR_PORT, FLOOR_CONNECTIONS. With FLOOR_IS_SPREAD=1 each tenant has one of
 * the connections for good, so that what a session of PostgreSQL has to know is the least it can be; whoever finds it busy waits.
 */
async function main(env: NodeJS.ProcessEnv): Promise<void> {
  const writer = new BatchWriter();
  const writes = new TurnWrites();
  const config = connectOptions(new Secret(env.FLOOR_URL ?? ''), {
    applicationName: 'floor',
    connectTimeoutMs: 5_000,
  });
  const open = () => Connection.open(config, { writer, writes, maxPreparedStatements: 10_000 });
  const connections = await Promise.all(Array.from({ length: Number(env.FLOOR_CONNECTIONS) }, open));
  const statement: FloorStatement = JSON.parse(env.FLOOR_STATEMENT ?? '');
  const { values: kinds } = statement;
  // Many tenants: each on one session, which then has to know a part of them only.
  const lines =
    env.FLOOR_IS_SPREAD === '1' ? connections.map((one) => new Line([one])) : [new Line(connections)];
  const tenants = new Map<string, FloorTenant>();
  const tenantOf = (request: IncomingMessage): FloorTenant => {
    const { host = BENCH_HOST } = request.headers;
    let tenant = tenants.get(host);
    if (tenant === undefined) {
      tenant = prepareTenant(request, statement, lines[tenants.size % lines.length]!);
      tenants.set(host, tenant);
    }
    return tenant;
  };

  const run = async ({ plan, text, line }: FloorTenant, values: readonly string[]): Promise<string> => {
    const connection =
      line.idle.pop() ?? (await new Promise<Connection>((resolve) => line.waiting.push(resolve)));
    try {
      const statements = [...plan.statements, { text, values }];
      const results = await connection.submit({ ...plan, statements }, true).result;
      return results[0]?.rows[0]?.[2] ?? '';
    } finally {
      const next = line.waiting.shift();
      if (next === undefined) line.idle.push(connection);
      else next(connection);
    }
  };
  const answer = (request: IncomingMessage, response: ServerResponse, body: string): void => {
    const number = /\d+/.exec(request.url ?? '')?.[0] ?? '1';
    run(
      tenantOf(request),
      kinds.map((kind) => (kind === 'body' ? body : number)),
    ).then(
      (text) => {
        writes.toClient(() => {
          response.writeHead(text === '' ? 201 : 200, {
            'Content-Type': 'application/json; charset=utf-8',
            'Content-Range': '0-0/*',
            'Content-Length': Buffer.byteLength(text),
          });
          response.end(text);
        });
      },
      () => {
        response.statusCode = 500;
        response.end();
      },
    );
  };
  const server = createServer((request, response) => {
    if (request.url === '/ready') response.end();
    else if (request.method === 'GET') answer(request, response, '');
    else {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => answer(request, response, Buffer.concat(chunks).toString()));
    }
  });
  server.listen(Number(env.FLOOR_PORT), '127.0.0.1');
}

await main(process.env);
