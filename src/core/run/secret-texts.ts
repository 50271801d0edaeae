import type { AnyTool } from '../tool/definition.ts';

/** More texts than a valid input can hold: a larger one is refused unread, and its refusal quotes nothing of it. */
const MAX_TEXTS = 20_000;

/** The values of the input properties that the tool calls secret, as texts to mask. The input may be anything. */
export function secretTexts(tool: Pick<AnyTool, 'secrets'>, input: unknown): readonly string[] {
  if (typeof input !== 'object' || input === null) return [];
  const found: string[] = [];
  // No recursion: an input that is not yet validated can be nested as deep as it likes.
  const open = (tool.secrets ?? []).map((property): unknown => (input as Record<string, unknown>)[property]);
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (typeof next === 'string' && next !== '') found.push(next);
    if (found.length >= MAX_TEXTS) break;
    if (typeof next !== 'object' || next === null) continue;
    for (const child of Object.values(next)) if (child !== undefined) open.push(child);
  }
  return found;
}
