/** Files that use the container engine. Being there is what makes a file run by itself; a unit test finds the ones that are missing. */
export const ENGINE_TESTS: readonly string[] = [
  'admin-worker/test/integration/extension-kills.test.ts',
  'admin-worker/test/integration/extension-lifecycle.test.ts',
  'admin-worker/test/integration/phantom-edge-cases.test.ts',
  'admin-worker/test/integration/phantom-injection.test.ts',
  'admin-worker/test/integration/pin-images.test.ts',
  'test/e2e/alpine-core.test.ts',
  'test/e2e/phantom-core.test.ts',
];
