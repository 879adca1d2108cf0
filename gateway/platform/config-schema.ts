import { isIP } from 'node:net';
import { z } from 'zod';

const port = z.int().min(0).max(65_535);
const host = z.string().min(1);
const milliseconds = z.int().positive();
const count = z.int().positive();
const bytes = z.int().positive();

export const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;
const logLevel = z.enum(LOG_LEVELS);

const pinnedImage = z
  .string()
  .regex(/^[a-z0-9][a-z0-9.:-]*(?:\/[a-z0-9][a-z0-9._-]*)+@sha256:[0-9a-f]{64}$/, {
    error: 'expected an image by its digest: registry/repository@sha256:… (64 hexadecimal digits)',
  });

const cidr = z.string().refine(isCidr, { error: 'expected an IP address or CIDR range such as 10.0.0.0/8' });

const publicKey = z.string().regex(/^ed25519:[A-Za-z0-9+/]{43}=$/, {
  error: 'expected a public key: ed25519: and 44 characters of base64',
});

/** What may be written in one place: at the top of `wrangler-like.config.ts`, or below `env.<name>`. All of it is optional. */
const SETTINGS = {
  dataDir: z.string().min(1).optional(),
  logLevel: logLevel.optional(),
  gateway: z
    .strictObject({
      host,
      port,
      workers: count,
      maxBodyBytes: bytes,
      maxHeaderBytes: bytes,
      headersTimeoutMs: milliseconds,
      requestTimeoutMs: milliseconds,
      keepAliveTimeoutMs: milliseconds,
      drainTimeoutMs: milliseconds,
      streamStallTimeoutMs: milliseconds,
      moveHoldTimeoutMs: milliseconds,
      moveHoldMaxRequests: count,
      forwardTimeoutMs: milliseconds,
      forwardMaxRequests: count,
      publicUrl: z.url({ protocol: /^https?$/ }),
      serverHeader: z.boolean(),
      trustedProxies: z.array(cidr).readonly(),
    })
    .partial()
    .optional(),
  pools: z
    .strictObject({
      poolSize: count,
      maxTenantShare: z.number().gt(0).max(1),
      leasedPoolSize: count,
      maxLeasedConnections: count,
      connectTimeoutMs: milliseconds,
      acquireTimeoutMs: milliseconds,
      idleTimeoutMs: milliseconds,
      statementTimeoutMs: milliseconds,
      maxReplicaLagMs: z.int().min(0),
      preparedStatementsPerConnection: z.int().min(0),
    })
    .partial()
    .optional(),
  limits: z
    .strictObject({
      maxInFlight: z.int().min(0),
      maxQueue: z.int().min(0),
      maxQueueWaitMs: milliseconds,
      requestsPerSecond: z.int().min(0),
      maxRows: z.int().min(0),
    })
    .partial()
    .optional(),
  caches: z
    .strictObject({
      maxTenants: count,
      tenantTtlMs: milliseconds,
      schemaCacheMaxBytes: bytes,
      maxVerifiedTokens: count,
      maxSchemaListeners: z.int().min(0),
    })
    .partial()
    .optional(),
  remotes: z
    .strictObject({ allowedNetworks: z.array(cidr).readonly() })
    .partial()
    .optional(),
  pgbouncer: z
    .strictObject({
      configDir: z.string().min(1),
      runDir: z.string().min(1),
      listenHost: host,
      poolSize: count,
      databasePoolSize: count,
      maxDbConnections: count,
      maxClientConnections: count,
    })
    .partial()
    .optional(),
  admin: z
    .strictObject({ host, port, drainTimeoutMs: milliseconds, jobRetentionDays: count })
    .partial()
    .optional(),
  archives: z
    .strictObject({ trustedKeys: z.array(publicKey).readonly() })
    .partial()
    .optional(),
  extensions: z
    .strictObject({ coreContainer: z.string().min(1), images: z.record(z.string(), pinnedImage).readonly() })
    .partial()
    .optional(),
};

const ConfigFile = z.strictObject({
  ...SETTINGS,
  env: z.record(z.string(), z.strictObject(SETTINGS)).optional(),
});

/** What `defineConfig` takes. */
export type ConfigInput = z.input<typeof ConfigFile>;

/** Settings after parsing, before defaults. */
export type PartialSettings = z.output<ReturnType<typeof settingsSchema>>;

function settingsSchema() {
  return z.strictObject(SETTINGS);
}

export type ParsedConfigFile =
  | { readonly kind: 'ok'; readonly base: PartialSettings; readonly overrides: PartialSettings }
  | { readonly kind: 'problems'; readonly problems: readonly string[] };

/**
 * Parses what `wrangler-like.config.ts` exports. All of it is checked, the environments that are not in use too.
 *
 * @param environment name below `env` whose settings override the others
 */
export function parseConfigFile(input: unknown, environment: string): ParsedConfigFile {
  const result = ConfigFile.safeParse(input);
  if (!result.success) return { kind: 'problems', problems: result.error.issues.flatMap(describeIssue) };
  const { env = {}, ...base } = result.data;
  return { kind: 'ok', base, overrides: env[environment] ?? {} };
}

/** Every setting as `section.key`, for the test that compares the schema with `docs/configuration.md`. */
export function settingNames(): readonly string[] {
  return Object.entries(SETTINGS).flatMap(([name, schema]) => {
    const inner = schema.unwrap();
    return inner instanceof z.ZodObject ? Object.keys(inner.shape).map((key) => `${name}.${key}`) : [name];
  });
}

function describeIssue(issue: z.core.$ZodIssue): string[] {
  const path = issue.path.map(String);
  // Name the unknown keys themselves: that is what has to be searched for in the file.
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => `${[...path, key].join('.')}: no such setting`);
  }
  return [`${path.length === 0 ? '(whole file)' : path.join('.')}: ${issue.message}`];
}

/** An IP address or a range such as `10.0.0.0/8`. */
export function isCidr(text: string): boolean {
  const [address = '', prefix, ...rest] = text.split('/');
  const family = isIP(address);
  if (family === 0 || rest.length > 0) return false;
  return prefix === undefined || (/^\d{1,3}$/.test(prefix) && Number(prefix) <= (family === 4 ? 32 : 128));
}
