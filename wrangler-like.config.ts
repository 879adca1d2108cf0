import { defineConfig } from './gateway/platform/config.ts';

/**
 * Settings of this installation. Everything has a default; docs/configuration.md lists all of them. Secrets and whatever differs
 * between two machines belong in environment variables, which win over this file.
 */
export default defineConfig({
  gateway: {
    // For clients on this machine that cannot send a Host of their own choice, such as Node's fetch.
    trustedProxies: ['127.0.0.1', '::1'],
  },
  env: {
    production: {
      // Inside a container the loopback address reaches nobody; what is published is decided outside.
      gateway: { host: '0.0.0.0', trustedProxies: [] },
      admin: { host: '0.0.0.0' },
      pgbouncer: { listenHost: '0.0.0.0', runDir: '/run/pgbouncer' },
    },
  },
});
