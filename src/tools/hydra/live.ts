import { cleanText } from '../../core/tool/clean-text.ts';
import type { Heard } from './heard.ts';
import type { HydraContext } from './parser.ts';
import { serviceOf } from './services.ts';

const MAX_LIVE = 1000;

/**
 * Tells of accepted logins while hydra runs, from lines of its stdout. At a web page a hit waits for the first guess
 * that was refused: a page that lets everybody in refuses none, and its "passwords" are no findings.
 */
export function createLive(from: HydraContext, heard: Heard): (line: string) => void {
  const isHttp = serviceOf(from.service).http !== undefined;
  const waiting: Accepted[] = [];
  let told = 0;
  let isOpen = false;
  return (line) => {
    const accepted = readAccepted(line);
    if (accepted?.password === from.canary) isOpen = true;
    if (accepted !== undefined && !isOpen && told + waiting.length < MAX_LIVE) waiting.push(accepted);
    if (isOpen) waiting.length = 0;
    if (isHttp && heard.refused === 0) return;
    for (const { login, password } of waiting.splice(0)) {
      told += 1;
      const name = login === '' ? undefined : cleanText(login, 128);
      const draft = from.draftOf({ login: name, secretRef: from.keepSecret({ kind: 'password', value: password }) });
      const who = name === undefined ? '' : ` for ${name}`;
      from.emit({ kind: 'finding', message: `a password was accepted${who}`, draft });
    }
  };
}

interface Accepted {
  readonly login: string;
  readonly password: string;
}

/** `[22][ssh] host: A   login: B   password: C`, by first marks: a pattern with gaps goes back at every blank (CWE-1333). */
function readAccepted(line: string): Accepted | undefined {
  const head = /^\[\d+\]\[[a-z0-9-]+\] host: \S+ +(?=[lp])/.exec(line)?.[0];
  if (head === undefined) return undefined;
  const rest = line.slice(head.length);
  if (rest.startsWith('password: ')) return { login: '', password: rest.slice(10) };
  const end = rest.indexOf(' password: ', 8);
  if (!rest.startsWith('login: ') || end < 0) return undefined;
  return { login: rest.slice(7, end).trimEnd(), password: rest.slice(end + 11) };
}
