import { GatewayError } from '../errors/gateway-error.ts';
import type { PostgrestSettings } from '../registry/tenant.ts';
import type { FieldItem } from './plan-fields.ts';
import type { EmbedPlan } from './read-plan.ts';

/** An aggregate stands at this level, or is lifted to it out of a to-one spread. */
export function hasAggregates(fields: readonly FieldItem[], embeds: readonly EmbedPlan[]): boolean {
  return fields.some((item) => item.aggregate !== undefined) || embeds.some(liftsAggregates);
}

/** A to-one spread hands its aggregates to the parent. */
export function liftsAggregates(embed: EmbedPlan): boolean {
  if (!embed.isSpread || embed.cardinality !== 'to-one') return false;
  return (
    embed.read.select.some((term) => term.aggregate !== undefined) || embed.read.embeds.some(liftsAggregates)
  );
}

/** @throws {GatewayError} PGRST123 where aggregates are off, PGRST127 inside a to-many spread (V5) */
export function checkAggregates(level: {
  readonly fields: readonly FieldItem[];
  readonly embeds: readonly EmbedPlan[];
  readonly settings: PostgrestSettings;
}): void {
  const { fields, embeds, settings } = level;
  if (!settings.dbAggregatesEnabled && fields.some((item) => item.aggregate !== undefined)) {
    throw new GatewayError('PGRST123');
  }
  for (const embed of embeds) {
    if (!embed.isSpread || embed.cardinality === 'to-one') continue;
    if (
      embed.read.select.some((term) => term.aggregate !== undefined) ||
      embed.read.embeds.some(liftsAggregates)
    ) {
      throw new GatewayError('PGRST127', {
        details: 'Aggregates are not implemented for one-to-many or many-to-many spreads.',
      });
    }
  }
}
