import type { Run } from '../../schemas/run-record.ts';
import { isRecord } from './json-rpc.ts';

/** What a person is asked in a form (MCP 2025-11-25 and 2026-07-28, Elicitation). */
export interface Question {
  readonly mode: 'form';
  readonly message: string;
  readonly requestedSchema: typeof SCHEMA;
}

/** What a person said. Everything that is no clear word of theirs is `unanswered`. */
export type Given = 'accepted' | 'declined' | 'unanswered';

/** The name of the question, and of the one field of its form. */
export const CONFIRM = 'confirm';

// No default: a client that fills forms in by itself must not consent by that.
const SCHEMA: {
  type: 'object';
  properties: { confirm: { type: 'boolean'; title: string; description: string } };
  required: string[];
} = {
  type: 'object',
  properties: {
    [CONFIRM]: { type: 'boolean', title: 'Let it run', description: 'Only if you asked for exactly this yourself.' },
  },
  required: [CONFIRM],
};

const MAX_TARGETS = 5;
const DIGEST_DIGITS = 12;

/**
 * The question whether a run may go on. Attack: an agent that was told what to do by a web page writes its persuasion
 * into the arguments, for a person to read above the button. So every word is ours, the operator's, or a host's name.
 */
export function questionOf(run: Run): Question {
  const { tool, targets, risk, engagement, planDigest, runId } = run;
  const more = targets.length > MAX_TARGETS ? `, and ${targets.length - MAX_TARGETS} more` : '';
  const against = targets.slice(0, MAX_TARGETS).map(shownTarget).join(', ');
  const message = [
    `Confirm this run: ${tool}${against === '' ? '' : ` against ${against}${more}`}.`,
    `Risk ${risk}, engagement ${engagement ?? 'none'}, plan ${planDigest?.slice(0, DIGEST_DIGITS) ?? 'none'}, run ${runId}.`,
    'Sallyport asks this, not the model. Where the engagement wants another person to approve it, your word does not replace theirs.',
  ].join('\n');
  return { mode: 'form', message, requestedSchema: SCHEMA };
}

/** What an answer to the question says, whatever a client sent as one. */
export function givenBy(answer: unknown): Given {
  const { action, content } = isRecord(answer) ? answer : {};
  if (action === 'decline') return 'declined';
  // A form that was sent without the tick is no consent, and no refusal either.
  return action === 'accept' && isRecord(content) && content[CONFIRM] === true ? 'accepted' : 'unanswered';
}

const PLAIN = /^[a-z0-9._:/[\]-]+$/i;
const MAX_CHARS = 80;

/** The host of a target and its address. The path of a URL is the caller's own text, so it is left out. */
function shownTarget({ canonical, addresses }: Run['targets'][number]): string {
  const [address] = addresses;
  const host = URL.canParse(canonical) && canonical.includes('://') ? originOf(canonical) : canonical;
  if (!PLAIN.test(host)) return address ?? 'a target';
  // What decides about a name stands at its end.
  const shown = host.length > MAX_CHARS ? `…${host.slice(-MAX_CHARS)}` : host;
  return address === undefined || shown.includes(address) ? shown : `${shown} (${address})`;
}

function originOf(url: string): string {
  const { protocol, host } = new URL(url);
  return `${protocol}//${host}`;
}
