import { relative } from 'node:path';
import { Readable } from 'node:stream';
import { spec } from 'node:test/reporters';
import type { TestEvent } from 'node:test/reporters';

const COUNTER = /^(?:tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) [\d.]+$/;

/**
 * Node's `spec` reporter with a truthful end: after it come the parts of the check that failed before the tests, every
 * skipped test with its reason, and node's own counters as the last lines.
 */
export default async function* summary(source: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  const skipped: string[] = [];
  const counters: string[] = [];
  const passOn = async function* (): AsyncGenerator<TestEvent> {
    for await (const event of source) {
      if (isCounter(event)) {
        counters.push(`ℹ ${event.data.message}`);
        continue;
      }
      const reason = skipReason(event);
      if (reason !== undefined) skipped.push(reason);
      yield event;
    }
  };
  for await (const chunk of Readable.from(passOn()).compose(new spec())) yield String(chunk);
  yield '\n';
  const failed = process.env['CHECK_FAILED']?.trim();
  if (failed) yield `failed before the tests: ${failed.split(/\s+/).join(', ')}\n`;
  for (const line of skipped) yield `skipped: ${line}\n`;
  for (const line of counters) yield `${line}\n`;
}

/** The counters of the whole run carry no file; a diagnostic of a test does. */
function isCounter(event: TestEvent): event is Extract<TestEvent, { type: 'test:diagnostic' }> {
  return (
    event.type === 'test:diagnostic' &&
    event.data.nesting === 0 &&
    event.data.file === undefined &&
    COUNTER.test(event.data.message)
  );
}

function skipReason(event: TestEvent): string | undefined {
  if (event.type !== 'test:pass' && event.type !== 'test:fail') return undefined;
  const { skip, name, file } = event.data;
  if (skip === undefined || skip === false) return undefined;
  const place = file === undefined ? '' : ` (${relative(process.cwd(), file)})`;
  return `${name}${place}: ${typeof skip === 'string' && skip !== '' ? skip : 'no reason given'}`.replace(/\s+/g, ' ');
}
