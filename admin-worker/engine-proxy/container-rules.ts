import { z } from 'zod';
import { VOLUME_TARGET } from '../containers/container-engine.ts';

const Mount = z.strictObject({
  Type: z.literal('volume'),
  Source: z.string(),
  Target: z.literal(VOLUME_TARGET),
  ReadOnly: z.boolean(),
  VolumeOptions: z.strictObject({
    NoCopy: z.literal(true),
    Labels: z.strictObject({}),
    DriverConfig: z.strictObject({ Name: z.literal('local'), Options: z.strictObject({}) }),
  }),
});

/** The only containers that may be made: for a job, without a network, without rights, within limits. */
const Container = z.strictObject({
  Image: z.string(),
  Labels: z.strictObject({ 'io.cascata.edge.job': z.string(), 'io.cascata.edge.purpose': z.string() }),
  Entrypoint: z.array(z.string()),
  Cmd: z.array(z.string()),
  User: z.literal('0:0').optional(),
  Env: z.array(z.string()),
  NetworkDisabled: z.literal(true),
  HostConfig: z.strictObject({
    NetworkMode: z.literal('none'),
    CapDrop: z.tuple([z.literal('ALL')]),
    CapAdd: z.array(z.enum(['CHOWN', 'DAC_OVERRIDE', 'FOWNER'])),
    SecurityOpt: z.tuple([z.literal('no-new-privileges')]),
    PidsLimit: z.int().min(1).max(1_000),
    Memory: z.int().positive(),
    Init: z.boolean(),
    Tmpfs: z.record(z.enum(['/tmp']), z.string()).or(z.strictObject({})),
    Mounts: z.array(Mount).max(1),
  }),
});

/**
 * Why a container may not be made; `undefined` when it may.
 *
 * @param core the server's container: the volume is mounted with its image alone, and it is the volume that it has
 */
export function problemOfContainer(
  body: unknown,
  core: { readonly image: string; readonly volume: string | undefined },
): string | undefined {
  const parsed = Container.safeParse(body);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    return `${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'not allowed'}`;
  }
  const [mount] = parsed.data.HostConfig.Mounts;
  if (mount === undefined) return undefined;
  if (mount.Source !== core.volume)
    return `HostConfig.Mounts: ${mount.Source} is not the volume of extensions`;
  return parsed.data.Image === core.image
    ? undefined
    : "Image: the volume is for the server's own image alone";
}
