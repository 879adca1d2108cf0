import type { Reporter, SerializedError, TestModule } from 'vitest/node';

/**
 * Ends a run's output with the plain line `N passed, N failed, N skipped`. A test file that cannot be loaded and an error
 * outside of any test count as failed.
 */
export class ClosingLineReporter implements Reporter {
  #passed = 0;
  #failed = 0;
  #skipped = 0;

  onInit(): void {
    // At exit, so that nothing (summaries, teardown, complaints about open handles) can be printed after it.
    process.once('exit', (code) => {
      const failed = this.#failed === 0 && code !== 0 ? 1 : this.#failed;
      process.stdout.write(`${this.#passed} passed, ${failed} failed, ${this.#skipped} skipped\n`);
    });
  }

  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly SerializedError[]): void {
    this.#passed = 0;
    this.#skipped = 0;
    this.#failed = unhandledErrors.length;
    for (const module of modules) {
      if (module.errors().length > 0) this.#failed++;
      for (const test of module.children.allTests()) {
        const { state } = test.result();
        if (state === 'passed') this.#passed++;
        else if (state === 'skipped') this.#skipped++;
        else this.#failed++;
      }
      // A failing beforeAll leaves tests that never ran; it is told by its suite.
      for (const suite of module.children.allSuites()) {
        if (suite.errors().length > 0) this.#failed++;
      }
    }
  }
}
