import type { Variant } from '../cases/case.ts';
import { CONFORMANCE_JWT_SECRET } from './exchange.ts';

export const VARIANTS: readonly Variant[] = ['main', 'bare', 'hooked'];

const HOOKED = {
  'db-pre-request': 'public.check_request',
  'db-root-spec': 'front_page',
  'server-trace-header': 'X-Trace',
  'server-timing-enabled': true,
} as const;

/** `null` is "not set", for settings that our registry gives a default. */
export type VariantSettings = Readonly<Record<string, string | number | boolean | null>>;

/** PostgREST's settings of each variant, by PostgREST's own names; `jwt-secret` is `CONFORMANCE_JWT_SECRET`. */
export function variantSettings(variant: Variant): VariantSettings {
  if (variant === 'bare') {
    return {
      'db-schemas': 'public',
      'db-anon-role': null,
      'db-max-rows': 2,
      'jwt-aud': 'orchestra',
      'openapi-mode': 'disabled',
      'url-use-legacy-target-names': false,
    };
  }
  return {
    'db-schemas': 'public,archive',
    'db-anon-role': 'conf_anon',
    'db-tx-end': 'rollback-allow-override',
    'db-aggregates-enabled': true,
    'db-plan-enabled': true,
    'openapi-mode': 'ignore-privileges',
    'app.settings.motto': 'play on',
    ...(variant === 'hooked' ? HOOKED : {}),
  };
}

/** The settings as PostgREST's configuration file takes them. */
export function postgrestConfigFile(
  variant: Variant,
  { databaseUrl, port }: { databaseUrl: string; port: number },
): string {
  const settings = {
    ...variantSettings(variant),
    'db-uri': databaseUrl,
    'jwt-secret': CONFORMANCE_JWT_SECRET,
    'server-host': '127.0.0.1',
    'server-port': port,
    'log-level': 'error',
  };
  return Object.entries(settings)
    .filter(([, value]) => value !== null)
    .map(([name, value]) => `${name} = ${JSON.stringify(value)}\n`)
    .join('');
}
