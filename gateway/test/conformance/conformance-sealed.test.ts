import { describe } from 'vitest';
import { runCases } from './runner/run-cases.ts';
import { chooseTarget } from './runner/targets.ts';

const choice = chooseTarget(process.env, 'sealed');

// Another server has no such mode: it gets the cases once, from conformance.test.ts.
describe.skipIf(choice.kind !== 'own')('sealed', () => runCases(choice));
