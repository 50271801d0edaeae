import { RPC } from './json-rpc.ts';

/** Deepest nesting accepted in a request body. No tool input comes near it. */
export const MAX_DEPTH = 64;

// Fatal: bytes that are not UTF-8 (RFC 8259, section 8.1) are refused, not replaced by other characters.
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** A request body that could not be read: which JSON-RPC error it deserves, and why. */
export class BodyFault {
  readonly code: number;
  readonly message: string;

  constructor(code: number, message: string) {
    this.code = code;
    this.message = message;
  }
}

/**
 * Parses a request body; a `BodyFault` instead of an exception, because the answer is a JSON-RPC error.
 * Its length was limited before (`bodyLimitBytes`).
 */
export function parseBody(bytes: Buffer): unknown {
  let value: unknown;
  try {
    value = JSON.parse(UTF8.decode(bytes));
  } catch {
    return new BodyFault(RPC.parseError, 'Parse error: the body is not valid JSON in UTF-8.');
  }
  const fault = findFault(value);
  return fault === undefined ? value : new BodyFault(RPC.invalidRequest, fault);
}

/** Walks without recursion: a body of brackets must not exhaust the stack of anything that comes after (CWE-674). */
function findFault(root: unknown): string | undefined {
  const open: { value: object; depth: number }[] = [];
  const push = (value: unknown, depth: number) => {
    if (typeof value === 'object' && value !== null) open.push({ value, depth });
  };
  push(root, 1);
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { value, depth } = next;
    if (depth > MAX_DEPTH) return `The body is nested deeper than ${MAX_DEPTH} levels.`;
    // An own "__proto__" key becomes a prototype as soon as anybody copies the object (CWE-1321).
    if (Object.hasOwn(value, '__proto__')) return 'The body has a forbidden key.';
    for (const child of Array.isArray(value) ? value : Object.values(value)) push(child, depth + 1);
  }
  return undefined;
}
