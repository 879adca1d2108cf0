import type { Secret } from '../../gateway/registry/secrets.ts';
import type { ContainerEngine } from './container-engine.ts';

/** What a runner needs to bring files into the running server. */
export interface PhantomServices {
  readonly engine: ContainerEngine;
  /** Name of the server's container. */
  readonly coreContainer: string;
  /** Signs manifests; the core's linker has the same. */
  readonly key: Secret;
  /** Bundle → `repo@sha256:…` that the operator pinned. */
  readonly images: Readonly<Record<string, string>>;
  /** Where payloads lie between two containers. */
  readonly spoolDir: string;
}
