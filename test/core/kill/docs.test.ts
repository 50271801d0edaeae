import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { configSchema } from '../../../schemas/config.ts';
import { ACCESS } from '../../../src/core/auth/access.ts';
import { SCOPES } from '../../../src/core/auth/types.ts';
import { ERRORS } from '../../../src/core/errors.ts';
import { LOG_EVENTS } from '../../../src/core/log.ts';
import { METRICS } from '../../../src/core/metrics/table.ts';
import { killSwitchOff } from '../../../src/core/kill/health.ts';

const read = (file: string): string => readFileSync(join(import.meta.dirname, '../../..', file), 'utf8');
const DOCS = ['docs/kill-switch.md', 'docs/runbook.md'].map((file) => [file, read(file)] as const);
const MAIN = read('src/cli/main.ts');
const USAGE = MAIN.slice(MAIN.indexOf('const USAGE'), MAIN.indexOf('`;', MAIN.indexOf('const USAGE')));

function isKey(path: string): boolean {
  let at: { readonly properties?: Readonly<Record<string, object>> } | undefined = configSchema([]);
  for (const name of path.split('.')) at = at?.properties?.[name];
  return at !== undefined;
}

for (const [file, text] of DOCS) {
  test(`${file} names only what there is: routes, codes, metrics, log events, scopes`, () => {
    for (const [, route = ''] of text.matchAll(/`((?:GET|POST) \/[^`\s]*)/g)) assert.ok(route in ACCESS, route);
    for (const [code] of text.matchAll(/ERR_[A-Z_]+/g)) assert.ok(code in ERRORS, code);
    for (const [name] of text.matchAll(/sallyport_[a-z_]+/g)) assert.ok(name in METRICS, name);
    for (const [, event = ''] of text.matchAll(/`((?:run|audit|store|engagement|webhook)\.[a-z_]+)`/g)) {
      assert.ok(
        LOG_EVENTS.some((each) => each === event),
        event,
      );
    }
    for (const [, key = ''] of text.matchAll(/`((?:kill|runs|execution)\.[a-zA-Z.]+)`/g)) assert.ok(isKey(key), key);
    for (const [, scope = ''] of text.matchAll(/`((?:admin|runs|audit|health):[a-z:]+)`/g)) {
      assert.ok(
        SCOPES.some((each) => each === scope),
        scope,
      );
    }
  });

  test(`${file} names only verbs that the command line has`, () => {
    for (const [, verb = ''] of text.matchAll(/\.\/sallyport ([a-z]+)/g)) {
      assert.match(USAGE, new RegExp(`^  ${verb}\\b`, 'm'), verb);
    }
  });
}

test('the name of the health check is the one in the documents', () => {
  const { name } = killSwitchOff({ state: () => ({ active: false, switches: [] }) });
  assert.ok(DOCS[0]?.[1].includes(`check \`${name}\``));
});
