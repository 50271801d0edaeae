import { FoundSecrets } from './found-secrets.ts';
import { KnownSecrets, type KnownSecretsLimits, type Range } from './known-secrets.ts';
import { literalsOf } from './literals.ts';
import { maskValue } from './masked-value.ts';
import { MASK, maskPatterns } from './patterns.ts';
import { STRUCTURAL_NAMES } from './structural-names.ts';

/** Masks what may not be shown to one reader. */
export interface Masker {
  text(text: string): string;
  /** A copy with every text masked; names of properties stay. */
  value(value: unknown): unknown;
  /** The same for error details and log fields: what stands under our structural names is not masked by finds. */
  fields(value: unknown): unknown;
}

/** To whom an answer goes, and what of it is secret. */
export interface MaskerInput {
  /** The reader's principal id: what this owner's runs found is masked. */
  readonly owner?: string;
  /** Secrets that the reader sent in this call. Asked for when the first text is masked. */
  readonly given?: () => readonly string[];
  /** The JSON schema of the answer: the words that it fixes stay, or readers would throw the answer away. */
  readonly schema?: object;
}

/** Masks secrets on every channel: reply, resource, log, metric, export. */
export interface Redactor {
  /**
   * Makes a value known to every channel and every reader. Only for random keys and the operator's own secrets: of a value
   * that can be guessed, every caller could learn from the masked echo of a guess that it is somebody's. Answers how to
   * forget it; a value registered twice is forgotten once both have let go. A value that is too short or looks like an
   * address or a number is masked only where it is a whole text.
   */
  register(secret: string): () => void;
  /** Remembers what a run of this owner found: masked in this owner's answers and in the log, in nobody else's answer. */
  keepFound(owner: string, secret: string): void;
  /** Masks what is secret for every reader: registered values, and what is secret by its form. */
  redactText(text: string): string;
  /** A copy with every text masked so. Bounded in depth and size; cycles, buffers and errors become plain data. */
  redactValue(value: unknown): unknown;
  /** For the operator's log: what all runs found is masked as well, but never in a name or a structural value. */
  redactLogged(value: unknown): unknown;
  /** Masks for one reader, besides what is secret for every reader. Cheap until the first text. */
  masker(input: MaskerInput): Masker;
}

const MAX_SECRETS = 1000;

/** Makes a redactor. Nothing is global: whoever writes to a channel is handed one. */
export function createRedactor(limits: KnownSecretsLimits = {}): Redactor {
  const registered = new KnownSecrets({ maxSecrets: MAX_SECRETS, ...limits });
  const found = new FoundSecrets();
  const literals = new WeakMap<object, ReadonlySet<string>>();
  const redactText = (text: string) => maskText(text, [registered]);
  const logText = (text: string) => maskText(text, [registered, found.all]);
  return {
    register: (secret) => registered.register(secret),
    keepFound: (owner, secret) => found.keep(owner, secret),
    redactText,
    redactValue: (value) => maskValue(value, { text: redactText }),
    redactLogged: (value) =>
      maskValue(value, { text: logText, structural: STRUCTURAL_NAMES, structuralText: redactText }),
    masker: (input) => createMasker(input, { registered, found, literals, redactText }),
  };
}

interface Sets {
  readonly registered: KnownSecrets;
  readonly found: FoundSecrets;
  readonly literals: WeakMap<object, ReadonlySet<string>>;
  readonly redactText: (text: string) => string;
}

function createMasker({ owner, given, schema }: MaskerInput, sets: Sets): Masker {
  const { registered, found, redactText } = sets;
  let sent: KnownSecrets | undefined;
  const text = (plain: string): string => {
    if (schema !== undefined && wordsOf(schema, sets).has(plain)) return redactText(plain);
    // A set of their own: ten thousand passwords of one call must not push the keys out of the common one.
    sent ??= collect(given?.() ?? []);
    const own = owner === undefined ? undefined : found.of(owner);
    return maskText(plain, own === undefined ? [registered, sent] : [registered, sent, own]);
  };
  return {
    text,
    value: (value) => maskValue(value, { text }),
    fields: (value) => maskValue(value, { text, structural: STRUCTURAL_NAMES, structuralText: redactText }),
  };
}

function wordsOf(schema: object, { literals }: Sets): ReadonlySet<string> {
  const words = literals.get(schema) ?? literalsOf(schema);
  literals.set(schema, words);
  return words;
}

function collect(secrets: readonly string[]): KnownSecrets {
  const known = new KnownSecrets();
  for (const secret of secrets) known.register(secret);
  return known;
}

function maskText(text: string, sets: readonly KnownSecrets[]): string {
  if (sets.some((secrets) => secrets.has(text))) return MASK;
  const ranges = sets.flatMap((secrets) => secrets.rangesIn(text));
  return maskPatterns(maskRanges(text, ranges));
}

function maskRanges(text: string, ranges: readonly Range[]): string {
  if (ranges.length === 0) return text;
  let masked = '';
  let copied = 0;
  let isOpen = false;
  // Ranges of two sets can overlap: what they cover together gets one mask.
  for (const [start, end] of ranges.toSorted(([one], [other]) => one - other)) {
    if (!isOpen || start > copied) masked += text.slice(copied, start) + MASK;
    isOpen = true;
    copied = Math.max(copied, end);
  }
  return masked + text.slice(copied);
}
