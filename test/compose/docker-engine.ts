import { spawnSync } from 'node:child_process';

/** Why the stack cannot be built and started here; `undefined` when it can. */
export function whyNoDocker(baseImages: readonly string[]): string | undefined {
  const version = run('version', '--format', '{{.Server.Version}}');
  if (version.error !== undefined) return 'no docker program is installed';
  if (version.status !== 0) return `no Docker engine answers: ${firstLine(version.stderr)}`;
  if (run('compose', 'version').status !== 0) return 'docker has no compose plugin';
  const missing = baseImages.filter((image) => run('image', 'inspect', image).status !== 0);
  if (missing.length === 0) return undefined;
  return `the engine lacks the base images ${missing.join(', ')}`;
}

function run(...args: string[]) {
  return spawnSync('docker', args, { encoding: 'utf8', timeout: 20_000 });
}

function firstLine(text: string): string {
  return text.trim().split('\n')[0] ?? '';
}
