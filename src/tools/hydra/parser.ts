import { type Static, Type } from '@sinclair/typebox';
import { cleanText } from '../../core/tool/clean-text.ts';
import type { ParseOutcome, ToolEnd, ToolEvent, ToolParser } from '../../core/tool/definition.ts';
import { createLineReader } from '../../core/tool/lines.ts';

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
  },
  { additionalProperties: false },
);
type HydraResult = Static<typeof HydraResultSchema>;

interface Found {
  readonly port: number;
  readonly login: string;
  readonly password: string;
}

/** What hydra says about itself on its two streams. */
interface Heard {
  /** Targets finished, from the summary line; undefined without one. */
  finished: number | undefined;
  valid: number;
  errors: number;
  unclear: number;
  needsNoPassword: boolean;
  unreachable: boolean;
}

interface HydraContext {
  readonly host: string;
  readonly service: string;
  /** A password that cannot be right; where it was taken, every password is. */
  readonly canary: string;
  keepSecret(secret: { readonly kind: string; readonly value: string }): string;
  emit(event: ToolEvent): void;
}

/**
 * Reads hydra 9.4: credentials from out.json, how it went from stdout and stderr. Both streams and the file hold
 * passwords in clear: no text of theirs ever enters a result, an event or a failure.
 */
export function parseHydra(from: HydraContext): ToolParser<HydraResult> {
  const heard: Heard = {
    finished: undefined,
    valid: 0,
    errors: 0,
    unclear: 0,
    needsNoPassword: false,
    unreachable: false,
  };
  const stdout = createLineReader(MAX_LINE, (line) => hearLine(from, heard, line));
  const stderr = createLineReader(MAX_LINE, (line) => hearLine(from, heard, line));
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

function hearLine(from: HydraContext, heard: Heard, line: string): void {
  const summary = /^(\d) of 1 target (?:successfully )?completed, (\d{1,9}) valid passwords? found$/.exec(line);
  if (summary !== null) {
    heard.finished = Number(summary[1]);
    heard.valid = Number(summary[2]);
  }
  if (/^\[!\] The server \S+ does not require password/.test(line)) heard.needsNoPassword = true;
  // "Unusual return code: 500 for NAME:PASSWORD" and "account … might be valid but …": hydra could not tell.
  if (/^\[WARNING\] Unusual return code|might be valid but/.test(line)) heard.unclear += 1;
  if (/^\[ERROR\]|did not complete/.test(line)) heard.errors += 1;
  if (/^\[ERROR\] (?:could not connect|all children were disabled)|terminating, can ?not connect/.test(line)) {
    heard.unreachable = true;
  }
  const accepted = readAccepted(line);
  if (accepted !== undefined && accepted.password !== from.canary) {
    const who = accepted.login === '' ? '' : ` for ${cleanText(accepted.login, 128)}`;
    from.emit({ kind: 'finding', message: `a password was accepted${who}` });
  }
}

/** `[22][ssh] host: A   login: B   password: C`, by first marks: a pattern with three gaps would go back at every blank. */
function readAccepted(line: string): { readonly login: string; readonly password: string } | undefined {
  const head = /^\[\d+\]\[[a-z0-9-]+\] host: \S+ +(?=[lp])/.exec(line)?.[0];
  if (head === undefined) return undefined;
  const rest = line.slice(head.length);
  if (rest.startsWith('password: ')) return { login: '', password: rest.slice(10) };
  const end = rest.indexOf(' password: ');
  if (!rest.startsWith('login: ') || end < 0) return undefined;
  return { login: rest.slice(7, end).trimEnd(), password: rest.slice(end + 11) };
}

function conclude(from: HydraContext, heard: Heard, end: ToolEnd): ParseOutcome<HydraResult> {
  const found = readFound(end.files.get('out.json'));
  const isOpen = heard.needsNoPassword || found.some(({ password }) => password === from.canary);
  const credentials = isOpen ? [] : found.slice(0, MAX_CREDENTIALS).map((entry) => toCredential(from, entry));
  const result: HydraResult = { credentials, open: isOpen, unclear: heard.unclear };
  if (end.ending !== 'exited') return { result, complete: false };
  if (isOpen) return { result, complete: true };
  const failure = failureOf(heard, found.length);
  const complete =
    failure === undefined &&
    heard.errors === 0 &&
    heard.unclear === 0 &&
    heard.valid === found.length &&
    found.length <= MAX_CREDENTIALS &&
    // A wrong community and a dead host are the same silence in SNMP.
    !(from.service === 'snmp' && found.length === 0);
  return failure === undefined ? { result, complete } : { result, complete, failure };
}

function failureOf(heard: Heard, found: number): string | undefined {
  if (found > 0) return undefined;
  if (heard.unreachable || heard.finished === 0)
    return 'The service could not be reached or does not speak this protocol.';
  if (heard.finished === undefined) return 'hydra ended before it had tried anything.';
  if (heard.errors > 0) return 'hydra met an error with every attempt; no login was tried.';
  if (heard.unclear > 0) return 'The service gave no clear answer to the attempts; nothing can be told from them.';
  return undefined;
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
    const head = /^\s*\{"port": (\d{1,5}), "service": "[^"]*", "host": "[^"]*", "(login|password)": "/.exec(line);
    const port = Number(head?.[1]);
    const tail = line.trimEnd().replace(/,$/, '');
    if (head === null || port < 1 || port > 65_535 || !tail.endsWith('"}')) continue;
    const [, , first] = head;
    const texts = tail.slice(head[0].length, -2);
    const end = first === 'login' ? texts.indexOf(PASSWORD_FIELD) : -PASSWORD_FIELD.length;
    if (first === 'login' && end < 0) continue;
    const login = first === 'login' ? texts.slice(0, end) : '';
    found.push({ port, login: unescapeFirst(login), password: unescapeFirst(texts.slice(end + PASSWORD_FIELD.length)) });
  }
  return found;
}

function unescapeFirst(text = ''): string {
  const quote = text.indexOf('"');
  return quote > 0 && text[quote - 1] === '\\' ? text.slice(0, quote - 1) + text.slice(quote) : text;
}
