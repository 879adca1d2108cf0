import { isIP } from 'node:net';
import { buildConnector } from 'undici';
import type { NetworkPolicy } from './network-policy.ts';

const CONNECT_TIMEOUT_MS = 5_000;

/** No connection was made: nothing has been sent. */
export class ConnectFailure extends Error {
  override readonly name = 'ConnectFailure';
}

/**
 * How `undici` connects to another installation: to addresses that the policy allows, HTTP/1.1. The certificate has to be good for the host of the URL, whatever the `Host` header
 * says: a tenant's own name leads to where it was for as long as it takes, so no authority would vouch for it elsewhere.
 *
 * @param caCertificate PEM of the authorities that may have signed it, instead of the system's
 */
export function guardedConnector(
  networkPolicy: NetworkPolicy,
  caCertificate: string | undefined,
): buildConnector.connector {
  const connector = buildConnector({
    timeout: CONNECT_TIMEOUT_MS,
    allowH2: false,
    ...(caCertificate === undefined ? {} : { ca: caCertificate }),
    // The addresses that were checked are the ones that are used.
    lookup: (host, { all }, done) => {
      networkPolicy.resolve(host).then(
        (addresses) => {
          if (all === true) done(null, [...addresses]);
          else done(null, addresses[0]?.address ?? '', addresses[0]?.family);
        },
        (error: Error) => done(error, ''),
      );
    },
  });
  return ({ servername: _, ...target }, done) => {
    const hostname = target.hostname.replace(/^\[|\]$/g, '');
    const name = isIP(hostname) === 0 ? { servername: hostname } : {};
    const fail = (cause: unknown) => done(new ConnectFailure('no connection', { cause }), null);
    // An address is not looked up, so it is checked here.
    networkPolicy.resolve(hostname).then(() => {
      connector({ ...target, hostname, ...name }, (...[error, socket]) =>
        error === null ? done(null, socket) : fail(error),
      );
    }, fail);
  };
}
