import { createEngineProxy } from './engine-proxy.ts';

/** Entry of the proxy's process. ENGINE_SOCKET, CORE_CONTAINER, PORT: docs/phantom.md. It holds no secret and reads no configuration file. */
const {
  ENGINE_SOCKET = '/var/run/docker.sock',
  CORE_CONTAINER = 'cascata-db-1',
  PORT = '2375',
} = process.env;
const server = createEngineProxy({ socketPath: ENGINE_SOCKET, coreContainer: CORE_CONTAINER });
server.listen(Number(PORT), '0.0.0.0');
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.on(signal, () => {
    server.close(() => process.exit(0));
    server.closeAllConnections();
  });
}
