import { isIP } from 'node:net';
import type { PinnedTarget, PinnedTargets } from '../../src/core/targets/types.ts';
import type { ArgvGrammar, ValueShape } from '../../src/core/tool/argv-guard.ts';
import { numberOf } from '../core/targets/independent-reading.ts';

/**
 * A second reading of what an argv may be, written without the guard's code: a search for any derivation of the tokens
 * from the grammar. It knows more derivations than the guard, never fewer: what the guard passes must be among them.
 */
export function isDerivable(grammar: ArgvGrammar, argv: readonly string[], { list }: PinnedTargets): boolean {
  const prefixes = (grammar.prefix ?? []) as readonly (string | readonly string[])[];
  const choices = prefixes.every((part) => typeof part === 'string') ? [prefixes as readonly string[]] : prefixes;
  return (choices as readonly (readonly string[])[]).some(
    (prefix) =>
      prefix.every((token, at) => argv[at] === token) && rest({ grammar, argv, list }, prefix.length, [0, false]),
  );
}

interface Reading {
  readonly grammar: ArgvGrammar;
  readonly argv: readonly string[];
  readonly list: readonly PinnedTarget[];
}

function rest(on: Reading, at: number, [place, isAfterDashes]: readonly [number, boolean]): boolean {
  const { grammar, argv, list } = on;
  const token = argv[at];
  if (token === undefined) return true;
  const operand = Array.isArray(grammar.operands) ? grammar.operands[place] : grammar.operands;
  const mayBeOperand = isAfterDashes || (grammar.terminator !== true && !token.startsWith('-'));
  if (mayBeOperand && isValue(operand as ValueShape, token, list) && rest(on, at + 1, [place + 1, isAfterDashes])) {
    return true;
  }
  if (isAfterDashes) return false;
  if (token === '--' && grammar.terminator === true) return rest(on, at + 1, [place, true]);
  const inline = { ...grammar.attached, ...onlyInline(grammar.options) };
  const isGlued = Object.entries(inline).some(
    ([option, shape]) => token.startsWith(option) && isValue(shape, token.slice(option.length), list),
  );
  if (isGlued && rest(on, at + 1, [place, false])) return true;
  const own = Object.entries(grammar.options).find(([option]) => option === token)?.[1];
  if (own === undefined) return false;
  if (own === 'flag') return rest(on, at + 1, [place, false]);
  return isValue(own, argv[at + 1], list) && rest(on, at + 2, [place, false]);
}

function onlyInline(options: ArgvGrammar['options']): Record<string, ValueShape> {
  return Object.fromEntries(
    Object.entries(options).flatMap(([option, shape]) =>
      option.endsWith('=') && shape !== 'flag' ? [[option, shape] as const] : [],
    ),
  );
}

function isValue(shape: ValueShape | undefined, value: string | undefined, list: readonly PinnedTarget[]): boolean {
  if (shape === undefined || value === undefined || value === '') return false;
  if ((value.startsWith('-') && value !== '-') || hasControl(value) || Buffer.byteLength(value) >= 131_072)
    return false;
  if (shape instanceof RegExp) return new RegExp(`^(?:${shape.source})$`, shape.flags).test(value);
  return NAMED[shape](value, list);
}

/** Whether a text has a control character, C1 and DEL included. */
export function hasControl(text: string): boolean {
  return Array.from(text).some((char) => {
    const code = char.codePointAt(0) ?? 0;
    return code < 0x20 || (code >= 0x7f && code <= 0x9f);
  });
}

const isWord = (text: string) => /^[A-Za-z0-9_]/.test(text) && !/[^A-Za-z0-9_.-]/.test(text);

const NAMED: Readonly<Record<Exclude<ValueShape, RegExp>, (value: string, list: readonly PinnedTarget[]) => boolean>> =
  {
    integer: (value) => value.length <= 10 && !/[^0-9]/.test(value),
    name: (value) => value.length <= 128 && isWord(value),
    words: (value) => value.split(',').every(isWord),
    ports: (value) => value.split(',').every((item) => /^(?:[TU]:)?\d{1,5}(?:-\d{1,5})?$/.test(item)),
    address: (value, list) => list.some(({ addresses }) => addresses.includes(value)),
    endpoint: (value, list) => list.some((target) => target.kind === 'resolver' && target.canonical === value),
    network: (value, list) => list.some((target) => target.canonical === value || target.addresses.includes(value)),
    domain: (value, list) =>
      list.some(({ canonical, name }) => [canonical, `${canonical}.`, name, `${name}.`].includes(value)),
    url: (value, list) =>
      list.some((target) =>
        target.addresses.some((address) => isUrlAt(value, target, isIP(address) === 6 ? `[${address}]` : address)),
      ),
  };

/** Read by position, as no URL parser does: every parser must find the same authority in such a text. */
function isUrlAt(value: string, { url }: PinnedTarget, host: string): boolean {
  if (url === undefined || /[^!-~]|[\\#]/.test(value) || !value.startsWith(`${url.scheme}://${host}`)) return false;
  const behind = value.slice(url.scheme.length + 3 + host.length);
  const defaultPort = url.scheme === 'http' ? 80 : 443;
  const rests = [`:${url.port}`, ...(url.port === defaultPort ? [''] : [])].filter((port) => behind.startsWith(port));
  return rests.some((port) => behind[port.length] === '/');
}

/**
 * Options whose value is text for the target or the operator's own, by tool; addresses in it are contacted by nobody.
 * The third operand of hydra is a page with its form.
 */
const TEXT: Readonly<Record<string, RegExp>> = {
  gobuster: /^Host: /,
  sqlmap: /^--(?:host|data)=|^-p /,
  masscan: /^--(?:adapter-ip|interface) /,
  hydra: /^\//,
};

/** Every address in an argv that no target of this run covers, found by searching the text of each token. */
export function strangersIn(tool: string, argv: readonly string[], { list }: PinnedTargets): readonly string[] {
  const known = new Set(list.flatMap(({ canonical, name }) => [canonical, `${canonical}.`, `${name}`, `${name}.`]));
  const pinned = new Set(list.flatMap(({ addresses }) => addresses).map(keyOf));
  return argv.flatMap((token, at) => {
    if (known.has(token) || (TEXT[tool]?.test(token) ?? false)) return [];
    if (TEXT[tool]?.test(`${argv[at - 1]} ${token}`) ?? false) return [];
    const value = token.replace(/^-[a-z]=/, '');
    if (known.has(value)) return [];
    // Behind the authority of a URL stands text for the server.
    const text = /^https?:\/\/[^/?#\\]*/i.exec(value)?.[0] ?? value;
    return addressesIn(text).filter((address) => !pinned.has(keyOf(address)));
  });
}

function addressesIn(text: string): readonly string[] {
  const runs = text.match(/[0-9A-Fa-f:.]{2,}/g) ?? [];
  const quads = runs.flatMap((run) => run.match(/\d{1,3}(?:\.\d{1,3}){3}/g) ?? []);
  return [...runs, ...quads].filter((run) => isIP(run) !== 0);
}

function keyOf(address: string): string {
  const { family, value } = numberOf(address);
  // An IPv4-mapped address is the endpoint of the IPv4 address inside it.
  return family === 6 && value >> 32n !== 0xffffn ? `6 ${value}` : `4 ${value & 0xffffffffn}`;
}
