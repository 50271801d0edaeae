import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { SallyportError } from '../errors.ts';
import type { AnyTool } from './definition.ts';
import { definitionFaults } from './definition-faults.ts';

interface Candidate {
  readonly name: string;
  readonly file: string;
}

/**
 * Loads every tool of a directory: `x.ts`, or `x/index.ts` with its parser beside it. Returns them by name.
 * Throws ERR_CONFIG_INVALID with every fault at once when an entry is misnamed, cannot be loaded, has no default
 * export, is not called like its file, appears twice, or is not a sound definition: a gateway with half its tools
 * missing, or a tool under a wrong name, must not start.
 */
export async function loadTools(directory: string): Promise<readonly AnyTool[]> {
  const { candidates, faults } = await findCandidates(directory);
  const tools: AnyTool[] = [];
  for (const candidate of candidates) {
    const loaded = await load(candidate);
    faults.push(...loaded.faults);
    if (loaded.tool !== undefined) tools.push(loaded.tool);
  }
  if (tools.length === 0 && faults.length === 0) faults.push('the directory holds no tool');
  if (faults.length === 0) return tools;
  throw new SallyportError('ERR_CONFIG_INVALID', `The tools cannot be loaded: ${faults.join('; ')}.`, {
    details: { faults },
  });
}

async function findCandidates(directory: string): Promise<{ candidates: Candidate[]; faults: string[] }> {
  const entries = await readdir(directory, { withFileTypes: true });
  const candidates: Candidate[] = [];
  const faults: string[] = [];
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const name = entry.isDirectory() ? entry.name : entry.name.replace(/\.ts$/, '');
    if (!(entry.isDirectory() || (entry.isFile() && entry.name.endsWith('.ts')))) {
      faults.push(`${entry.name} is neither a .ts file nor a folder`);
    } else if (!/^[a-z][a-z_]*$/.test(name)) {
      faults.push(`${entry.name} is misnamed: a tool is called with a-z and _ only`);
    } else if (candidates.some((other) => other.name === name)) {
      faults.push(`${name} is there twice, as a file and as a folder`);
    } else {
      candidates.push({ name, file: join(directory, entry.name, ...(entry.isDirectory() ? ['index.ts'] : [])) });
    }
  }
  return { candidates, faults };
}

async function load({ name, file }: Candidate): Promise<{ tool?: AnyTool; faults: readonly string[] }> {
  let loaded: { default?: unknown };
  try {
    loaded = (await import(pathToFileURL(file).href)) as { default?: unknown };
  } catch (cause) {
    return { faults: [`${name} cannot be loaded (${cause instanceof Error ? cause.message : String(cause)})`] };
  }
  if (typeof loaded.default !== 'object' || loaded.default === null) {
    return { faults: [`${name} has no default export made by defineTool`] };
  }
  const tool = loaded.default as AnyTool;
  const wrongName = tool.name === name ? [] : [`${name} defines a tool called ${JSON.stringify(tool.name)}`];
  return { tool, faults: [...wrongName, ...definitionFaults(tool).map((fault) => `${name}: ${fault}`)] };
}
