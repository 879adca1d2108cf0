import { attackOn } from './run-attacks.ts';

attackOn('the embedded PostgreSQL', () => ({}));
