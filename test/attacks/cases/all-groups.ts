import type { AttackGroup } from '../support/attack.ts';
import { DDL } from './ddl.ts';
import { CATALOGS, EXECUTORS } from './executors.ts';
import { LEFT_BEHIND } from './left-behind.ts';
import { ADMIN, RESPONSES } from './responses.ts';
import { BECOMING_SOMEBODY_ELSE } from './roles.ts';
import { TOKENS } from './tokens.ts';
import { HOSTS, SMUGGLING } from './wire.ts';

export const ATTACK_GROUPS: readonly AttackGroup[] = [
  BECOMING_SOMEBODY_ELSE,
  LEFT_BEHIND,
  DDL,
  EXECUTORS,
  CATALOGS,
  TOKENS,
  HOSTS,
  SMUGGLING,
  RESPONSES,
  ADMIN,
];
