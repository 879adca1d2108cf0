/** One `FROM … AS …` of a Dockerfile and what follows it. */
export interface Stage {
  readonly base: string;
  readonly name: string | undefined;
  readonly instructions: readonly Instruction[];
}

export interface Instruction {
  /** Upper case. */
  readonly keyword: string;
  readonly words: readonly string[];
}

/** Splits a Dockerfile into its stages. Continued lines are joined; comments are dropped. */
export function parseDockerfile(text: string): readonly Stage[] {
  const stages: { base: string; name: string | undefined; instructions: Instruction[] }[] = [];
  const lines = text
    .split('\n')
    .filter((line) => !line.trimStart().startsWith('#'))
    .join('\n')
    .replace(/\\\n/g, ' ')
    .split('\n')
    .filter((line) => line.trim() !== '');
  for (const line of lines) {
    const [keyword = '', ...words] = line.trim().split(/\s+/);
    if (keyword.toUpperCase() === 'FROM') {
      const [base = '', , name] = words;
      stages.push({ base, name, instructions: [] });
    } else {
      stages.at(-1)?.instructions.push({ keyword: keyword.toUpperCase(), words });
    }
  }
  return stages;
}

/** The chain of stages that make up one, the base first. */
export function stageChain(stages: readonly Stage[], last: Stage): readonly Stage[] {
  const base = stages.find(({ name }) => name !== undefined && name === last.base);
  return base === undefined ? [last] : [...stageChain(stages, base), last];
}

/** Sources of all COPY instructions that come from the build context. */
export function copiedFromContext(stages: readonly Stage[]): readonly string[] {
  return stages
    .flatMap(({ instructions }) => instructions)
    .filter(({ keyword, words }) => keyword === 'COPY' && !words.some((word) => word.startsWith('--from')))
    .flatMap(({ words }) => words.filter((word) => !word.startsWith('--')).slice(0, -1));
}

/** Whether a stage copies something out of the stage called `name`. */
export function copiesFrom(stage: Stage, name: string): boolean {
  return stage.instructions.some(
    ({ keyword, words }) => keyword === 'COPY' && words.includes(`--from=${name}`),
  );
}

/** The last one of a kind in a chain of stages. */
export function lastInstruction(chain: readonly Stage[], keyword: string): Instruction | undefined {
  return chain.flatMap(({ instructions }) => instructions).findLast((one) => one.keyword === keyword);
}
