import { z } from 'zod';
import type { JobKind } from './job-kind.ts';

const Common = {
  tenantId: z.string(),
  name: z.string(),
  /** Whether it happens on our own cluster, where changes of extensions wait for each other. */
  isOnCluster: z.boolean(),
};

const InjectExtensionPayload = z.strictObject({
  ...Common,
  version: z.string().optional(),
  /** An installed one is brought to the newest version that there is. */
  isUpgrade: z.boolean().optional(),
});
export type InjectExtensionPayload = z.output<typeof InjectExtensionPayload>;

const WithdrawExtensionPayload = z.strictObject({ ...Common, cascade: z.boolean() });
export type WithdrawExtensionPayload = z.output<typeof WithdrawExtensionPayload>;

const BringExtensionPayload = z.strictObject({ name: z.string() });
export type BringExtensionPayload = z.output<typeof BringExtensionPayload>;

const KEYS = {
  tenantOf: ({ tenantId }: { tenantId: string }) => tenantId,
  concurrencyKey: ({ isOnCluster, tenantId }: { isOnCluster: boolean; tenantId: string }) =>
    isOnCluster ? 'cluster' : `tenant:${tenantId}`,
  deadlineSeconds: 1_800,
};

export const injectExtensionKind: JobKind<InjectExtensionPayload> = {
  ...KEYS,
  name: 'inject-extension',
  summary:
    'Have an extension in the database of a tenant, bringing its files into the running server where they are not',
  payload: InjectExtensionPayload,
};

export const withdrawExtensionKind: JobKind<WithdrawExtensionPayload> = {
  ...KEYS,
  name: 'withdraw-extension',
  summary: 'Take an extension away from a tenant, and its files from the server once nobody uses them',
  payload: WithdrawExtensionPayload,
};

const CollectPayloadsPayload = z.strictObject({});
export type CollectPayloadsPayload = z.output<typeof CollectPayloadsPayload>;

export const collectPayloadsKind: JobKind<CollectPayloadsPayload> = {
  name: 'collect-payloads',
  summary: 'Delete files of extensions that no database of the cluster uses',
  payload: CollectPayloadsPayload,
  concurrencyKey: () => 'cluster',
  deadlineSeconds: 1_800,
};

const RejudgeExtensionsPayload = z.strictObject({
  /** Also what was judged against the server's image as it is. */
  all: z.boolean(),
});
export type RejudgeExtensionsPayload = z.output<typeof RejudgeExtensionsPayload>;

export const rejudgeExtensionsKind: JobKind<RejudgeExtensionsPayload> = {
  name: 'rejudge-extensions',
  summary: 'Judge again what was brought into the server, and stop linking what no longer fits it',
  payload: RejudgeExtensionsPayload,
  concurrencyKey: () => 'cluster',
  deadlineSeconds: 1_800,
};

export const bringExtensionKind: JobKind<BringExtensionPayload> = {
  name: 'bring-extension',
  summary: 'Bring the files of an extension into the running server, for no tenant yet',
  payload: BringExtensionPayload,
  concurrencyKey: () => 'cluster',
  deadlineSeconds: 1_800,
};
