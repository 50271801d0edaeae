import { answer, type ToolAnswer } from './run-answer.ts';
import { tokensOf } from './shorten.ts';
import { estimateTokens } from './tokens.ts';

/** A list that is answered page by page, each within a number of tokens. */
export interface Paging<T> {
  readonly tokens: number;
  /** Entries asked for; fewer are given when they do not fit. */
  readonly limit: number;
  readonly read: (limit: number) => Promise<T>;
  /** How many entries a page has. */
  readonly count: (page: T) => number;
  /** A page as text and structured content, no text in it longer than that many characters. */
  readonly render: (page: T, chars: number) => { readonly text: string; readonly structured: Record<string, unknown> };
}

/** Characters of one text: generous, and then ever fewer for a single entry that is too large alone. */
const CHARS = 400;
const FEWER_CHARS = [160, 80, 40, 20, 10] as const;
/** Entries of one page at most, whatever was asked: more never fit the largest budget. */
const MAX_LIMIT = 100;

/**
 * The page with as many entries as fit. It is asked for again with that number, instead of being cut here, because
 * only the list itself can say where the next page begins.
 */
export async function fittingPage<T>(paging: Paging<T>): Promise<ToolAnswer> {
  const { tokens, read, count, render } = paging;
  let limit = Math.min(paging.limit, MAX_LIMIT);
  for (;;) {
    const page = await read(limit);
    const { text, structured } = render(page, CHARS);
    const size = sizeOf(text, structured);
    if (size <= tokens) return answer(text, structured);
    if (count(page) <= 1) return smallest(paging, page);
    // The last tenth is for what does not shrink with the number of entries.
    limit = Math.max(1, Math.min(count(page) - 1, Math.floor(((count(page) * tokens) / size) * 0.9)));
  }
}

function smallest<T>({ tokens, render }: Paging<T>, page: T): ToolAnswer {
  let { text, structured } = render(page, CHARS);
  for (const chars of FEWER_CHARS) {
    if (sizeOf(text, structured) <= tokens) break;
    ({ text, structured } = render(page, chars));
  }
  return answer(text, structured);
}

function sizeOf(text: string, structured: Record<string, unknown>): number {
  return estimateTokens(text) + tokensOf(structured);
}
