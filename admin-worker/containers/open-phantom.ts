import { join } from 'node:path';
import type { Settings } from '../../gateway/platform/settings.ts';
import { imagesOf, readPins } from '../pinning/pinned-images.ts';
import type { PhantomServices } from './phantom-services.ts';

/** The runner's way to the container engine; or why it has none, as a sentence. Nothing is connected yet. */
export async function openPhantom({
  containerEngine,
  phantomKey,
  extensions,
  dataDir,
}: Settings): Promise<{ readonly phantom: PhantomServices } | { readonly phantomOff: string }> {
  if (containerEngine === undefined) return { phantomOff: 'CONTAINER_ENGINE is not set' };
  if (phantomKey === undefined) return { phantomOff: 'PHANTOM_KEY is not set' };
  const { coreContainer, images } = extensions;
  const spoolDir = join(dataDir, 'spool');
  // Its client takes 30 MB of memory, which runners without an engine need not have.
  const { dockerodeEngine } = await import('./dockerode-engine.ts');
  return {
    phantom: {
      engine: dockerodeEngine(containerEngine),
      coreContainer,
      key: phantomKey,
      // Read anew each time: what is pinned counts without a restart. What the configuration says wins.
      get images() {
        return { ...imagesOf(readPins(dataDir)), ...images };
      },
      spoolDir,
    },
  };
}
