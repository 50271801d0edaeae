import { visibleLines } from './visible.ts';

/** Markup that may stand in a page as it is. Made by `html` and of our own constants: no text becomes it by oversight. */
export class Markup {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

type Part = Markup | string | number | readonly Part[];

/**
 * A template of markup: every text in it is escaped for element content and quoted attributes (a banner with `<script>`
 * or `" onload=` is only read), markup and lists of it are taken over.
 */
export function html(fixed: TemplateStringsArray, ...parts: readonly Part[]): Markup {
  return new Markup(fixed.map((text, at) => text + rendered(parts[at] ?? '')).join(''));
}

function rendered(part: Part): string {
  if (part instanceof Markup) return part.text;
  if (typeof part === 'object') return part.map(rendered).join('');
  return visibleLines(String(part)).replace(/[&<>"'`]/g, (character) => `&#${character.charCodeAt(0)};`);
}
