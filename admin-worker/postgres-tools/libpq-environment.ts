import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TenantServer } from '../connections.ts';

/**
 * What libpq's programs need to reach a server, as variables. A tenant's server is looked up and checked here, and libpq gets the address: it
 * does not look the name up again, which might lead elsewhere by then.
 *
 * @param options.folder private to the run; the certificate of the authority is put there
 * @throws {RefusedAddressError} for an address that the policy does not allow
 */
export async function libpqEnvironment(
  { url: secret, foreign }: TenantServer,
  { folder, applicationName }: { readonly folder: string; readonly applicationName: string },
): Promise<Readonly<Record<string, string>>> {
  const url = new URL(secret.reveal());
  const host = url.searchParams.get('host') ?? url.hostname.replace(/^\[|\]$/g, '');
  const address = foreign === undefined ? undefined : (await foreign.policy.resolve(host))[0]?.address;
  const sslMode = url.searchParams.get('sslmode');
  const certificate = foreign?.caCertificate;
  const certificateFile = join(folder, 'authority.pem');
  if (certificate !== undefined) await writeFile(certificateFile, certificate, { mode: 0o600 });
  return {
    PGHOST: decodeURIComponent(host),
    ...(address === undefined ? {} : { PGHOSTADDR: address }),
    PGPORT: url.port === '' ? '5432' : url.port,
    PGUSER: decodeURIComponent(url.username),
    PGPASSWORD: decodeURIComponent(url.password),
    PGDATABASE: decodeURIComponent(url.pathname.slice(1)),
    PGAPPNAME: applicationName,
    PGCONNECT_TIMEOUT: '10',
    // Neither files of this account nor others' services are to be read.
    PGPASSFILE: join(folder, 'none'),
    PGSERVICEFILE: join(folder, 'none'),
    PGSSLMODE: sslMode ?? 'disable',
    ...(certificate !== undefined
      ? { PGSSLROOTCERT: certificateFile }
      : sslMode === 'verify-ca' || sslMode === 'verify-full'
        ? { PGSSLROOTCERT: SYSTEM_AUTHORITIES }
        : {}),
  };
}

/** libpq 15 knows no `system`; this is where Debian's, Alpine's and others' packages of authorities put them. */
const SYSTEM_AUTHORITIES = '/etc/ssl/certs/ca-certificates.crt';
