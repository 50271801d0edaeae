import { type Static, Type } from '@sinclair/typebox';
import type { FindingDraft } from '../../core/findings/types.ts';
import { cleanText } from '../../core/tool/clean-text.ts';
import type { ParseOutcome, ToolEnd, ToolEvent, ToolParser } from '../../core/tool/definition.ts';
import { createLineReader } from '../../core/tool/lines.ts';
import { createHeard, type Heard, hearStderr, hearStdout, provenRefusals } from './heard.ts';
import { createLive } from './live.ts';
import { createProgress } from './progress.ts';
import { type ServiceName, serviceOf } from './services.ts';

const MAX_CREDENTIALS = 10_000;
const MAX_LINE = 4096;

/** What hydra found out about one service. */
export const HydraResultSchema = Type.Object(
  {
    credentials: Type.Array(
      Type.Object(
        {
          host: Type.String(),
          port: Type.Integer({ minimum: 1, maximum: 65_535 }),
          service: Type.String(),
          login: Type.Optional(Type.String({ description: 'Absent for services that have only a password.' })),
          secretRef: Type.String({ description: 'Reference of the password; reading it needs scope secrets:read.' }),
        },
        { additionalProperties: false },
      ),
    ),
    open: Type.Boolean({
      description: 'The service asks for no password, or takes any: nothing was learned about accounts.',
    }),
    unclear: Type.Integer({
      minimum: 0,
      description: 'Attempts whose answer was neither yes nor no; they count as not tried.',
    }),
    note: Type.Optional(Type.String({ description: 'Why the answer is not complete.' })),
  },
  { additionalProperties: false },
);
export type HydraResult = Static<typeof HydraResultSchema>;

interface Found {
  readonly port: number;
  readonly login: string;
  readonly password: string;
}

/** What the parser is told of the call. */
export interface HydraContext {
  readonly host: string;
  readonly service: ServiceName;
  readonly stopOnFirst: boolean;
  /** Logins that were named, where they were named one by one. */
  readonly logins?: readonly string[] | undefined;
  /** Whether a form is judged by the text of a right login. */
  readonly successText: boolean;
  /** A password that cannot be right; where it was taken, every password is. */
  readonly canary: string;
  keepSecret(secret: { readonly kind: string; readonly value: string }): string;
  draftOf(found: { readonly login?: string | undefined; readonly secretRef: string }): FindingDraft;
  emit(event: ToolEvent): void;
}

/**
 * Reads hydra 9.4: credentials from out.json, how it went from stdout and stderr. Both streams and the file hold
 * passwords in clear: no text of theirs ever enters a result, an event or a failure.
 */
export function parseHydra(given: HydraContext): ToolParser<HydraResult> {
  const from = { ...given, keepSecret: keptOnce(given) };
  const heard = createHeard();
  const live = createLive(from, heard);
  const progress = createProgress(from);
  const { proof } = serviceOf(from.service);
  const stdout = createLineReader(MAX_LINE, (line) => {
    hearStdout(heard, line);
    live(line);
    progress(line);
  });
  const stderr = createLineReader(MAX_LINE, (line) => hearStderr(heard, line, proof));
  return {
    stdout: (chunk) => stdout.push(chunk),
    stderr: (chunk) => stderr.push(chunk),
    end(end) {
      stdout.end();
      stderr.end();
      return conclude(from, heard, end);
    },
  };
}

/** A login that was told while it ran is in the result too: one secret, one reference. */
function keptOnce(from: HydraContext): HydraContext['keepSecret'] {
  const references = new Map<string, string>();
  return (secret) => {
    const known = references.get(secret.value);
    if (known !== undefined) return known;
    const reference = from.keepSecret(secret);
    references.set(secret.value, reference);
    return reference;
  };
}

function conclude(from: HydraContext, heard: Heard, end: ToolEnd): ParseOutcome<HydraResult> {
  const found = readFound(end.files.get('out.json'));
  const isOpen = heard.needsNoPassword || found.some(({ password }) => password === from.canary);
  const credentials = isOpen ? [] : found.slice(0, MAX_CREDENTIALS).map((entry) => toCredential(from, entry));
  const result: HydraResult = { credentials, open: isOpen, unclear: heard.unclear };
  if (end.ending !== 'exited') return { result, complete: false };
  if (isOpen) return { result, complete: true };
  const failure = failureOf(from, heard, { found: found.length, isCut: end.stdoutTruncated });
  if (failure !== undefined) return { result, complete: false, failure };
  const isWhole =
    heard.errors === 0 &&
    heard.unclear === 0 &&
    heard.valid === found.length &&
    found.length <= MAX_CREDENTIALS &&
    !end.stdoutTruncated;
  if (isWhole && isSettled(from, found)) return { result, complete: true };
  const doubt = doubtOf(from, heard);
  return doubt === undefined ? { result, complete: isWhole } : { result: { ...result, note: doubt }, complete: false };
}

/** Whether hydra had nothing left to try: it ends after the first hit when told to, and for a login with its own hit. */
function isSettled({ stopOnFirst, logins }: HydraContext, found: readonly Found[]): boolean {
  if (found.length === 0) return false;
  const hits = new Set(found.map(({ login }) => login));
  return stopOnFirst || (logins?.every((login) => hits.has(login)) ?? false);
}

function failureOf(
  from: HydraContext,
  heard: Heard,
  { found, isCut }: { readonly found: number; readonly isCut: boolean },
): string | undefined {
  if (found > 0) return undefined;
  if (heard.unreachable || heard.finished === 0)
    return 'The service could not be reached or does not speak this protocol.';
  if (heard.finished === undefined && !isCut) return 'hydra ended before it had tried anything.';
  if (heard.errors > 0) return 'hydra met an error with every attempt; no login was tried.';
  const { proof } = serviceOf(from.service);
  const isMute = proof !== 'hidden' && provenRefusals(heard, proof) === 0 && heard.unmatched === 0;
  if (heard.unclear > 0 || isMute)
    return 'The service gave no clear answer to the attempts; nothing can be told from them.';
  return undefined;
}

/** Why what was not found may still be there; undefined when every guess was answered. */
function doubtOf(from: HydraContext, heard: Heard): string | undefined {
  const { proof } = serviceOf(from.service);
  if (proof === 'hidden') {
    return 'hydra does not tell an unanswered guess at this service from a refused one: a password that is not listed may still be right.';
  }
  if (proof === 'form' && from.successText) {
    return 'A page without the success text need not be a refusal: a password that is not listed may still be right.';
  }
  if (heard.sent > 0 && provenRefusals(heard, proof) + heard.accepted >= heard.sent) return undefined;
  return 'Not every guess was seen to be answered: a password that is not listed may still be right.';
}

function toCredential(from: HydraContext, { port, login, password }: Found): HydraResult['credentials'][number] {
  return {
    host: cleanText(from.host, 253),
    port,
    service: from.service,
    ...(login === '' ? {} : { login: cleanText(login, 128) }),
    secretRef: from.keepSecret({ kind: 'password', value: password }),
  };
}

/**
 * hydra escapes the first quote of a text and nothing else, so that a second one or a backslash makes its file no JSON;
 * and a run that was ended leaves it open. One line is one entry, and the first `", "password": "` ends the login.
 */
function readFound(file: Buffer | undefined): Found[] {
  const found: Found[] = [];
  for (const line of (file?.toString('utf8') ?? '').split('\n')) {
    const entry = readEntry(line);
    if (entry !== undefined) found.push(entry);
  }
  return found;
}

const PASSWORD_FIELD = '", "password": "';

function readEntry(line: string): Found | undefined {
  const head = /^\s*\{"port": (\d{1,5}), "service": "[^"]*", "host": "[^"]*", "(login|password)": "/.exec(line);
  const port = Number(head?.[1]);
  if (head === null || port < 1 || port > 65_535) return undefined;
  const end = line.trimEnd().replace(/,$/, '');
  if (!end.endsWith('"}') || end.length < head[0].length + 2) return undefined;
  const texts = end.slice(head[0].length, -2);
  if (head[2] === 'password') return { port, login: '', password: unescapeFirst(texts) };
  const border = texts.indexOf(PASSWORD_FIELD);
  if (border < 0) return undefined;
  const password = texts.slice(border + PASSWORD_FIELD.length);
  return { port, login: unescapeFirst(texts.slice(0, border)), password: unescapeFirst(password) };
}

function unescapeFirst(text: string): string {
  const quote = text.indexOf('"');
  return quote > 0 && text[quote - 1] === '\\' ? text.slice(0, quote - 1) + text.slice(quote) : text;
}
