import { SallyportError } from '../errors.ts';
import type { PinnedTarget, PinnedTargets } from '../targets/types.ts';

/** The shape of one value in an argv. `address`, `endpoint` (address:port), `network`, `url` and `domain` must also be pinned for this run. */
export type ValueShape =
  | 'integer'
  | 'address'
  | 'endpoint'
  | 'network'
  | 'url'
  | 'ports'
  | 'name'
  | 'domain'
  | 'words'
  | RegExp;

/**
 * Every token that a tool's argv may contain.
 * `options`: `'-n': 'flag'`, `'-p': 'ports'` (value is the next token), `'--level=': 'integer'` (value inline).
 * `attached`: value glued to the option without a sign: `'-T': /^[2-4]$/`, `'@': 'address'`.
 */
export interface ArgvGrammar {
  /** Tokens that the argv begins with, exactly (a mode word, an interpreter's flags and script). */
  readonly prefix?: readonly string[] | readonly (readonly string[])[];
  readonly options: Readonly<Record<string, 'flag' | ValueShape>>;
  readonly attached?: Readonly<Record<string, ValueShape>>;
  /** Shape of every operand, or one shape for each place (then no more operands than places); absent: none allowed. */
  readonly operands?: ValueShape | readonly ValueShape[];
  /** Operands only after `--`. */
  readonly terminator?: boolean;
}

const NAMED: Record<Exclude<ValueShape, RegExp>, RegExp> = {
  integer: /^\d{1,10}$/,
  address: /^[0-9a-f.:]{2,45}$/,
  endpoint: /^([0-9.]{7,15}|\[[0-9a-f.:]{2,45}\]):\d{1,5}$/,
  network: /^[0-9a-f.:]{2,45}(\/\d{1,3})?$/,
  url: /^https?:\/\/[^\s]{1,2048}$/,
  ports: /^([TU]:)?\d{1,5}(-\d{1,5})?(,([TU]:)?\d{1,5}(-\d{1,5})?)*$/,
  name: /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/,
  domain: /^[a-z0-9_]([a-z0-9_.-]{0,252}[a-z0-9_])?\.?$/,
  words: /^[A-Za-z0-9_][A-Za-z0-9_.-]*(,[A-Za-z0-9_][A-Za-z0-9_.-]*)*$/,
};

/** Longest single argument, bytes: MAX_ARG_STRLEN of Linux without its NUL. */
const MAX_VALUE_BYTES = 131_071;

/**
 * The last independent look at an argv before it runs: every token must be an option of the grammar, the value of
 * one, or an operand, and every address, network and URL must be one that the policy pinned for this run.
 * A bug in a builder must not become a flag or a target. Throws ERR_INTERNAL.
 */
export function guardArgv(grammar: ArgvGrammar, argv: readonly string[], pinned: PinnedTargets): void {
  const tokens = [...afterPrefix(grammar, argv)];
  let operandsOnly = false;
  let place = 0;
  for (let token = tokens.shift(); token !== undefined; token = tokens.shift()) {
    if (operandsOnly) checkValue(operandShape(grammar, place++), token, pinned);
    else if (token === '--' && grammar.terminator) operandsOnly = true;
    else if (!takeOption(grammar, { token, tokens, pinned })) {
      if (grammar.terminator || token.startsWith('-')) refuse(`token ${JSON.stringify(token)} is not in the grammar`);
      checkValue(operandShape(grammar, place++), token, pinned);
    }
  }
}

function operandShape({ operands }: ArgvGrammar, place: number): ValueShape | undefined {
  return Array.isArray(operands) ? (operands as readonly ValueShape[])[place] : (operands as ValueShape | undefined);
}

function afterPrefix(grammar: ArgvGrammar, argv: readonly string[]): readonly string[] {
  if (grammar.prefix === undefined || grammar.prefix.length === 0) return argv;
  const choices = (
    Array.isArray(grammar.prefix[0]) ? grammar.prefix : [grammar.prefix]
  ) as readonly (readonly string[])[];
  const match = choices.find((choice) => choice.every((token, index) => argv[index] === token));
  return match === undefined ? refuse('the argv does not begin as the grammar says') : argv.slice(match.length);
}

function takeOption(grammar: ArgvGrammar, at: { token: string; tokens: string[]; pinned: PinnedTargets }): boolean {
  const { token, tokens, pinned } = at;
  const separate = Object.hasOwn(grammar.options, token) ? grammar.options[token] : undefined;
  if (separate === 'flag') return true;
  if (separate !== undefined && !token.endsWith('=')) {
    checkValue(separate, tokens.shift(), pinned);
    return true;
  }
  const equals = token.indexOf('=');
  const inline = equals > 0 ? token.slice(0, equals + 1) : '';
  const shape = Object.hasOwn(grammar.options, inline) ? grammar.options[inline] : undefined;
  if (shape !== undefined && shape !== 'flag') {
    checkValue(shape, token.slice(equals + 1), pinned);
    return true;
  }
  for (const [option, attachedShape] of Object.entries(grammar.attached ?? {})) {
    if (token.startsWith(option) && token.length > option.length) {
      checkValue(attachedShape, token.slice(option.length), pinned);
      return true;
    }
  }
  return false;
}

function checkValue(shape: ValueShape | undefined, value: string | undefined, pinned: PinnedTargets): void {
  if (shape === undefined) refuse('an operand where the grammar has none');
  if (value === undefined || value === '') refuse('an option without its value');
  // A value that begins with '-' could be read as an option by the program (CWE-88), whatever its shape allows.
  if (value.startsWith('-') && value !== '-') refuse('a value that begins with "-"');
  if (/\p{Cc}/u.test(value)) refuse('a control character in a value');
  // The kernel refuses a longer argument with an error that names the binary (MAX_ARG_STRLEN).
  if (Buffer.byteLength(value) > MAX_VALUE_BYTES) refuse('a value that is too long');
  // The whole value has to match: a shape written without ^ and $ must not let the rest of the value through.
  const match = (shape instanceof RegExp ? shape : NAMED[shape]).exec(value);
  if (match === null || match[0] !== value) refuse(`value ${JSON.stringify(value)} does not have its shape`);
  if (!(shape instanceof RegExp) && !isPinned(shape, value, pinned)) refuse(`${JSON.stringify(value)} was not pinned`);
}

function isPinned(shape: Exclude<ValueShape, RegExp>, value: string, pinned: PinnedTargets): boolean {
  const { list } = pinned;
  if (shape === 'address') return list.some((target) => target.addresses.includes(value));
  if (shape === 'endpoint') return list.some((target) => target.kind === 'resolver' && target.canonical === value);
  if (shape === 'network') return list.some((target) => target.canonical === value || target.addresses.includes(value));
  if (shape === 'domain') {
    const name = value.replace(/\.$/, '');
    return list.some((target) => target.canonical === name || target.name === name);
  }
  return shape !== 'url' || isPinnedUrl(value, pinned);
}

/**
 * Compared as text, never parsed: the program's parser is not ours. Attack: `http://10.0.0.1\@10.0.0.2/` leads to
 * 10.0.0.1 in a browser's reading and to 10.0.0.2 in another, `012.0.0.1` to 10.0.0.1 or to 12.0.0.1.
 */
function isPinnedUrl(value: string, { list }: PinnedTargets): boolean {
  if (!/^[!-~]+$/.test(value) || /[\\#]/.test(value)) return false;
  return list.some(
    ({ url, addresses }) => url !== undefined && addresses.some((address) => isUrlOf(value, url, address)),
  );
}

function isUrlOf(value: string, { scheme, port }: NonNullable<PinnedTarget['url']>, address: string): boolean {
  const origin = `${scheme}://${address.includes(':') ? `[${address}]` : address}`;
  const origins = port === { http: 80, https: 443 }[scheme] ? [origin, `${origin}:${port}`] : [`${origin}:${port}`];
  return origins.some((begin) => value.startsWith(`${begin}/`));
}

function refuse(fault: string): never {
  throw new SallyportError('ERR_INTERNAL', 'The argument vector did not pass its last check; nothing was started.', {
    cause: new Error(`argv guard: ${fault}`),
  });
}
