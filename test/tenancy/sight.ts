import assert from 'node:assert/strict';
import type { Request } from './rest-walk.ts';
import type { Belongings, World } from './world.ts';

/** One answer as its reader gets it: everything of it. */
export interface Seen {
  readonly status: number;
  readonly headers: string;
  readonly body: string;
}

/** Headers that differ between two equal requests. */
const PASSING = new Set(['date', 'x-request-id', 'content-length', 'keep-alive']);
const isPassing = (name: string) => PASSING.has(name) || name.startsWith('x-ratelimit') || name.startsWith('ratelimit');

/** An answer that was not to come must fail, not hang. */
const PATIENCE_MS = 20_000;

/** Asks as this key, over a real connection. */
export async function look(world: World, line: { method: string; key: string }, request: Request): Promise<Seen> {
  const leaving = new AbortController();
  const { body } = request;
  const response = await fetch(new URL(request.path, world.url), {
    method: line.method,
    headers: {
      authorization: `Bearer ${line.key}`,
      accept: 'application/json, text/event-stream',
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...request.headers,
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    signal: AbortSignal.any([leaving.signal, AbortSignal.timeout(PATIENCE_MS)]),
  });
  const headers = [...response.headers].filter(([name]) => !isPassing(name)).map((header) => header.join(': '));
  if (request.isEndless !== true)
    return { status: response.status, headers: headers.join('\n'), body: await response.text() };
  const first = await response.body?.getReader().read();
  leaving.abort();
  return {
    status: response.status,
    headers: headers.join('\n'),
    body: Buffer.from(first?.value ?? []).toString('utf8'),
  };
}

/** The text of an answer without what was asked for: an echo tells nobody anything. */
export function withoutEcho(text: string, asked: unknown, things: Belongings): string {
  const question = JSON.stringify(asked);
  const echoed = Object.values(things).filter((thing) => question.includes(thing));
  // The longest first: an event id has the id of its run in it.
  return echoed
    .toSorted((a, b) => b.length - a.length)
    .reduce((left, thing) => left.replaceAll(thing, '<asked>'), text);
}

/** An answer in which only what is new in each of them is the same for all. */
export function settled(text: string): string {
  return text
    .replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, '<id>')
    .replace(/secret_[\w-]{22}/g, '<secret>')
    .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, '<time>')
    .replace(/"(durationMs|queuedMs|probedAt)":\d+/g, '"$1":0')
    .replace(/\bin \d+\.\d s\b/g, 'in 0 s')
    .replace(/\\"(durationMs|queuedMs)\\":\d+/g, '\\"$1\\":0')
    .replace(/[0-9a-f]{64}/g, '<digest>');
}

/** Fails when the text holds one of these, in any of the ways in which a text is written into a header, a URL or JSON. */
export function mustHoldNone(text: string, traces: Readonly<Record<string, string>>, where: string): void {
  for (const [name, trace] of Object.entries(traces)) {
    const forms = [trace, encodeURIComponent(trace), Buffer.from(trace).toString('base64url').slice(0, -2)];
    for (const form of forms) assert.ok(!text.includes(form), `${where} tells ${name}: ${text.slice(0, 400)}`);
  }
}
