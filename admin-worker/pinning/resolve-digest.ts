import { createHash } from 'node:crypto';
import { z } from 'zod';

/** An image by its tag, as people write it: `docker.io/postgis/postgis:17-3.5`. */
export interface ImageTag {
  readonly registry: string;
  /** Below the registry: `postgis/postgis`. */
  readonly repository: string;
  readonly tag: string;
}

/** Why a registry did not give a digest, as one sentence. */
export class RegistryError extends Error {
  override readonly name = 'RegistryError';
}

const TAGGED = /^([a-z0-9][a-z0-9.:-]*)\/([a-z0-9][a-z0-9._/-]*):([A-Za-z0-9_][A-Za-z0-9_.-]{0,127})$/;
const TIMEOUT_MS = 20_000;
const MAX_MANIFEST_BYTES = 4 * 1024 * 1024;
/** A list of images for several machines first: its digest serves all of them. */
const ACCEPT = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
].join(', ');

const Token = z.object({ token: z.string().optional(), access_token: z.string().optional() });

/** @throws {RegistryError} when it is no such reference */
export function parseImageTag(reference: string): ImageTag {
  const [, registry = '', repository = '', tag = ''] = TAGGED.exec(reference) ?? [];
  if (tag === '')
    throw new RegistryError(
      `'${reference}' is no image with registry, repository and tag: docker.io/me/it:17`,
    );
  return { registry, repository, tag };
}

/**
 * Asks a registry which digest a tag stands for now, anonymously. The manifest is fetched and hashed: what is pinned is what was seen.
 *
 * @returns `sha256:…`
 * @throws {RegistryError}
 */
export async function resolveDigest({ registry, repository, tag }: ImageTag): Promise<string> {
  const url = `${originOf(registry)}/v2/${repository}/manifests/${tag}`;
  const name = `${registry}/${repository}:${tag}`;
  let answer = await ask(url, { accept: ACCEPT });
  if (answer.status === 401) {
    const authorization = await anonymousToken(answer.headers.get('www-authenticate') ?? '', repository);
    await answer.body?.cancel();
    answer = await ask(url, { accept: ACCEPT, authorization });
  }
  if (answer.status === 404) throw new RegistryError(`${registry} does not have ${repository}:${tag}`);
  if (answer.status !== 200)
    throw new RegistryError(`${registry} answered ${answer.status} to the question for ${name}`);
  const manifest = Buffer.from(await answer.arrayBuffer());
  if (manifest.length > MAX_MANIFEST_BYTES) throw new RegistryError(`the manifest of ${name} is too large`);
  const digest = `sha256:${createHash('sha256').update(manifest).digest('hex')}`;
  const said = answer.headers.get('docker-content-digest');
  if (said !== null && said !== digest)
    throw new RegistryError(`${registry} says that ${name} is ${said}, and what it sent is ${digest}`);
  return digest;
}

/** Docker Hub's registry has another name than its images; registries on this machine speak plain HTTP, as to the engine. */
function originOf(registry: string): string {
  if (registry === 'docker.io') return 'https://registry-1.docker.io';
  const isLocal = /^(?:localhost|127\.0\.0\.1)(?::\d+)?$/.test(registry);
  return `${isLocal ? 'http' : 'https'}://${registry}`;
}

async function ask(url: string, headers: Readonly<Record<string, string>>): Promise<Response> {
  try {
    return await fetch(url, { headers, signal: AbortSignal.timeout(TIMEOUT_MS) });
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new RegistryError(`${new URL(url).host} cannot be reached: ${reason}`, { cause: error });
  }
}

/** Public images want a token too, which anybody gets. */
async function anonymousToken(challenge: string, repository: string): Promise<string> {
  const field = (name: string) => new RegExp(`\\b${name}="([^"]*)"`, 'i').exec(challenge)?.[1];
  const realm = field('realm');
  if (!/^bearer /i.test(challenge) || realm === undefined || !URL.canParse(realm))
    throw new RegistryError('the registry wants a login, which is not supported');
  const url = new URL(realm);
  const service = field('service');
  if (service !== undefined) url.searchParams.set('service', service);
  url.searchParams.set('scope', field('scope') ?? `repository:${repository}:pull`);
  const answer = await ask(url.href, { accept: 'application/json' });
  if (answer.status !== 200) throw new RegistryError('the registry wants a login, which is not supported');
  const parsed = Token.safeParse(await answer.json().catch(() => undefined));
  const token = parsed.data?.token ?? parsed.data?.access_token;
  if (token === undefined) throw new RegistryError(`${url.host} gave no token`);
  return `Bearer ${token}`;
}
