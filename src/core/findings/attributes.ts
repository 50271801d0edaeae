import { cutText, type FindingText, MASK_MARGIN } from './field-text.ts';

/** Bounds of the attributes of one finding. */
export const ATTRIBUTE_LIMITS = {
  /** Characters of one text, and of all texts and names together but for the markers. */
  maxText: 1000,
  maxChars: 16_000,
  maxName: 64,
  /** Entries of one list, and properties of one object, with the marker. */
  maxItems: 50,
  maxDepth: 4,
  maxNodes: 500,
} as const;

const TOO_DEEP = '…[cut: too deep]';
const TOO_LARGE = '…[cut: too large]';
const UNREADABLE = '[unreadable]';

/**
 * Attributes as plain JSON data within ATTRIBUTE_LIMITS, cleaned and masked, a marker wherever something is missing.
 * The same for every order of properties. Never throws: cycles end at the depth, a getter that throws is told.
 */
export function boundAttributes(attributes: unknown, text: FindingText): Record<string, unknown> {
  if (!isObject(attributes) || Array.isArray(attributes)) return {};
  const plain = toPlain(attributes, { text, left: { nodes: ATTRIBUTE_LIMITS.maxNodes }, depth: 0 });
  const fitted = fit(text.mask(plain), { chars: ATTRIBUTE_LIMITS.maxChars });
  return isObject(fitted) && !Array.isArray(fitted) ? fitted : {};
}

interface Walk {
  readonly text: FindingText;
  /** Shared by the whole walk. */
  readonly left: { nodes: number };
  readonly depth: number;
}

/** Bounded structure first; the texts keep a margin, because they are masked before they are cut. */
function toPlain(value: unknown, walk: Walk): unknown {
  if (typeof value === 'string') return walk.text.clean(value, ATTRIBUTE_LIMITS.maxText + MASK_MARGIN);
  // `0` for `-0`: a store would give it back as 0, and the digest must be the same.
  if (typeof value === 'number') return Number.isFinite(value) ? value + 0 : null;
  if (typeof value === 'boolean' || value === null) return value;
  if (typeof value === 'bigint') return cutText(value.toString(), ATTRIBUTE_LIMITS.maxText);
  if (!isObject(value)) return undefined;
  // As an object it has a property for each byte.
  if (ArrayBuffer.isView(value)) return `[binary, ${value.byteLength} bytes]`;
  if (walk.depth >= ATTRIBUTE_LIMITS.maxDepth) return TOO_DEEP;
  const inner = { ...walk, depth: walk.depth + 1 };
  return Array.isArray(value) ? plainList(value, inner) : plainRecord(value, inner);
}

function plainList(list: readonly unknown[], walk: Walk): unknown[] {
  const kept: unknown[] = [];
  for (const item of list.slice(0, keptOf(list.length))) {
    if (!takeNode(walk)) return [...kept, TOO_LARGE];
    kept.push(toPlain(item, walk) ?? null);
  }
  return kept.length === list.length ? kept : [...kept, `…[cut ${list.length - kept.length} entries]`];
}

function plainRecord(record: object, walk: Walk): Record<string, unknown> {
  // In order before anything is left out: what stays must not depend on the order in which a target sent it.
  const names = Object.keys(record).toSorted();
  const entries = new Map<string, unknown>();
  for (const name of names.slice(0, keptOf(names.length))) {
    if (!takeNode(walk)) return Object.fromEntries(entries.set('…', TOO_LARGE));
    const item = toPlain(valueOf(record, name), walk);
    if (item !== undefined) entries.set(freeName(plainName(name, walk.text), entries), item);
  }
  const missing = names.length - keptOf(names.length);
  if (missing > 0) entries.set('…', `[cut ${missing} properties]`);
  return Object.fromEntries(entries);
}

function takeNode({ left }: Walk): boolean {
  left.nodes -= 1;
  return left.nodes >= 0;
}

function keptOf(length: number): number {
  return length <= ATTRIBUTE_LIMITS.maxItems ? length : ATTRIBUTE_LIMITS.maxItems - 1;
}

function plainName(name: string, text: FindingText): string {
  const clean = text.clean(name, ATTRIBUTE_LIMITS.maxName + MASK_MARGIN).replace(/\n/g, ' ');
  // Whoever copies the attributes by assignment would set a prototype (CWE-1321).
  return clean === '__proto__' ? '[__proto__]' : clean;
}

/** Two names that look alike once they are clean stay two: the second must not hide the first. */
function freeName(name: string, taken: { has(name: string): boolean }): string {
  if (!taken.has(name)) return name;
  let number = 2;
  while (taken.has(`${name} ${number}`)) number += 1;
  return `${name} ${number}`;
}

/** A getter that throws must not take the finding with it. */
function valueOf(record: object, name: string): unknown {
  try {
    return (record as Record<string, unknown>)[name];
  } catch {
    return UNREADABLE;
  }
}

function fit(value: unknown, left: { chars: number }): unknown {
  if (typeof value === 'string') return fitText(value, left);
  if (!isObject(value)) return value;
  if (Array.isArray(value)) return value.map((item) => fit(item, left));
  const entries = new Map<string, unknown>();
  for (const [name, item] of Object.entries(value)) {
    const short = freeName(cutText(name, ATTRIBUTE_LIMITS.maxName), entries);
    left.chars -= short.length;
    entries.set(short, fit(item, left));
  }
  return Object.fromEntries(entries);
}

function fitText(value: string, left: { chars: number }): string {
  const fitted = cutText(value, Math.min(ATTRIBUTE_LIMITS.maxText, Math.max(0, left.chars)));
  left.chars -= fitted.length;
  return fitted;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
