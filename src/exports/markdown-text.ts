import { visible, visibleLines } from './visible.ts';

/**
 * Any text as one Markdown code span, also inside a table cell. In a code span nothing is a link, HTML, a mention or an
 * image; a backtick that would end it and a pipe that would end its cell stand as escapes.
 */
export function code(text: string): string {
  if (text === '') return '–';
  return `\`${visible(text).replaceAll('`', '\\u{60}').replaceAll('|', '\\u{7c}')}\``;
}

/** Any text as a fenced code block (CommonMark 4.5) whose fence is longer than any in the text. */
export function codeBlock(text: string): string {
  const runs = text.match(/`+/g) ?? [];
  const fence = '`'.repeat(runs.reduce((longest, run) => Math.max(longest, run.length), 2) + 1);
  return `${fence}text\n${visibleLines(text)}\n${fence}\n`;
}
