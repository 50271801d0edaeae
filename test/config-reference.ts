import { readFileSync, writeFileSync } from 'node:fs';
import { environmentExample, referenceTable } from '../src/config.ts';

// `node test/config-reference.ts --write` brings .env.example and the table of docs/configuration.md up to date.

const BEGIN = '<!-- generated: node test/config-reference.ts --write -->';
const END = '<!-- end of generated -->';
const root = new URL('../', import.meta.url);

/** The files that are made from the code: what they should hold and what they do. */
export function generatedFiles(): readonly {
  readonly name: string;
  readonly expected: string;
  readonly found: string;
}[] {
  const page = found('docs/configuration.md');
  const [before = '', rest = ''] = page.split(BEGIN);
  const after = rest.split(END)[1] ?? '';
  return [
    { name: '.env.example', expected: environmentExample(), found: found('.env.example') },
    {
      name: 'docs/configuration.md',
      expected: `${before}${BEGIN}\n\n${referenceTable()}\n\n${END}${after}`,
      found: page,
    },
  ];
}

function found(name: string): string {
  return readFileSync(new URL(name, root), 'utf8');
}

if (process.argv[1] === import.meta.filename && process.argv[2] === '--write') {
  for (const { name, expected } of generatedFiles()) writeFileSync(new URL(name, root), expected);
}
