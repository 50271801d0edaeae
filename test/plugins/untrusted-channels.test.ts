/*
 * What reaches whoever reads: a target plants escape sequences, invisible characters, markup, formulas and instructions
 * in its output to steer a terminal, a browser, a spreadsheet or a model, and secrets to have them shown to those who
 * must not see them. A tenant prints a guess to learn from its mask that it is another tenant's password. Every channel
 * is searched for every secret; a channel without an entry fails.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AUDIT_FORMATS } from '../../schemas/audit-query.ts';
import { ACCESS } from '../../src/core/auth/access.ts';
import { EXPORT_FORMATS } from '../../src/exports/formats.ts';
import { RUN_TOOL_ENTRIES } from '../../src/mcp/run-tool-entries.ts';
import { INSTRUCTION, lineOf, SECRETS, type SecretName, spellingsOf, STEERING } from '../fixtures/hostile-tool.ts';
import { CHANNELS } from './untrusted-channels.ts';
import { decoded, setScene, start } from './untrusted-scene.ts';

/** `masked`: its place is there and it is not; `shown`: it is there; `absent`: nothing of it is. */
type Sight = 'masked' | 'shown' | 'absent';
type Row = Readonly<Record<SecretName, Sight>>;

/** What carries texts of a target: masked but for what somebody else found, because that mask would tell whose it is. */
const CARRIES: Row = { given: 'masked', found: 'masked', foreign: 'shown', key: 'masked', form: 'masked' };
/** Operators' own words: nobody looks for finds in them, but what is secret for everybody is masked. */
const WRITTEN: Row = { given: 'absent', found: 'absent', foreign: 'absent', key: 'masked', form: 'masked' };
const SILENT: Row = { given: 'absent', found: 'absent', foreign: 'absent', key: 'absent', form: 'absent' };

const eras = (row: Readonly<Record<string, Row>>) =>
  Object.fromEntries(
    ['2025-11-25', '2026-07-28'].flatMap((era) =>
      Object.entries(row).map(([name, sight]) => [`POST /mcp ${era} ${name}`, sight] as const),
    ),
  );

/** Channel × secret. */
const TABLE: Readonly<Record<string, Row>> = {
  'GET /health/live': SILENT,
  'GET /health/ready': SILENT,
  'GET /health': SILENT,
  'GET /metrics': SILENT,
  'GET /openapi.json': SILENT,
  'GET /docs*': SILENT,
  'GET /v1/tools': SILENT,
  'GET /v1/tools/:name': SILENT,
  'POST /v1/tools/:name/runs (200)': CARRIES,
  'POST /v1/tools/:name/runs (202)': CARRIES,
  'POST /v1/tools/:name/runs (failed)': CARRIES,
  'POST /v1/tools/:name/runs (timed out)': CARRIES,
  'POST /v1/tools/:name/runs (refused)': SILENT,
  'GET /v1/runs': CARRIES,
  'GET /v1/runs/:id': CARRIES,
  'GET /v1/runs/:id/result': CARRIES,
  'GET /v1/runs/:id/events': CARRIES,
  'GET /v1/runs/:id/events (resumed)': CARRIES,
  'GET /v1/runs/:id/output': CARRIES,
  'GET /v1/runs/:id/output (stderr)': CARRIES,
  'GET /v1/runs/:id/output (running)': CARRIES,
  'GET /v1/runs/:id/findings': CARRIES,
  'GET /v1/runs/:id/export (json)': CARRIES,
  'GET /v1/runs/:id/export (csv)': CARRIES,
  'GET /v1/runs/:id/export (sarif)': CARRIES,
  'GET /v1/runs/:id/export (defectdojo)': CARRIES,
  'GET /v1/runs/:id/export (markdown)': CARRIES,
  'GET /v1/runs/:id/export (html)': CARRIES,
  'GET /v1/findings': CARRIES,
  'GET /v1/diff': CARRIES,
  'GET /v1/diff (not looked at)': CARRIES,
  'POST /v1/tools/:name/enable': SILENT,
  'POST /v1/tools/:name/disable': SILENT,
  'GET /v1/wordlists': SILENT,
  'GET /v1/stats': SILENT,
  'GET /v1/config': SILENT,
  // The one place where its owner reads it.
  'GET /v1/secrets/:id': { ...SILENT, found: 'shown' },
  'GET /v1/events': SILENT,
  'GET /mcp': SILENT,
  'DELETE /mcp': SILENT,
  'OPTIONS /mcp': SILENT,
  'PATCH /mcp': SILENT,
  'PUT /mcp': SILENT,
  ...eras({
    'tools/call': CARRIES,
    'tools/call (small)': SILENT,
    'tools/call (failed)': CARRIES,
    progress: CARRIES,
    run_status: CARRIES,
    'run_status (running)': CARRIES,
    run_result: CARRIES,
    run_findings: CARRIES,
    run_list: SILENT,
    run_diff: CARRIES,
    run_cancel: SILENT,
  }),
  'cli show': CARRIES,
  'cli show --result': CARRIES,
  'cli show --findings': CARRIES,
  'cli show --output': CARRIES,
  'cli show --stderr': CARRIES,
  'cli show --json': CARRIES,
  'cli runs --json': CARRIES,
  'cli watch': CARRIES,
  'cli diff': CARRIES,
  'cli export': CARRIES,
  'POST /v1/runs/:id/cancel': CARRIES,
  'DELETE /v1/runs/:id': SILENT,
  'POST /v1/tools/:name/plan': CARRIES,
  'POST /v1/tools/:name/plan (refused)': CARRIES,
  'POST /v1/tools/:name/plan (invalid)': SILENT,
  'POST /v1/tools/:name/runs (out of scope)': CARRIES,
  'POST /v1/tools/:name/runs (awaits)': CARRIES,
  'GET /v1/plans/:id': CARRIES,
  'GET /v1/scope': WRITTEN,
  'GET /v1/approvals': CARRIES,
  'GET /v1/approvals/:id': CARRIES,
  'GET /v1/engagements': WRITTEN,
  'GET /v1/engagements/:id': WRITTEN,
  'GET /v1/engagements/:id/versions': WRITTEN,
  'GET /v1/kill': WRITTEN,
  'cli plan': CARRIES,
  'cli approvals': SILENT,
  'cli approvals show': CARRIES,
  'cli engagements': WRITTEN,
  'cli engagements show': WRITTEN,
  'cli kill --state': WRITTEN,
  ...eras({
    plan: CARRIES,
    'plan (refused)': CARRIES,
    scope: WRITTEN,
    'tools/call (awaits)': SILENT,
  }),
  'POST /v1/approvals/:id/approve': CARRIES,
  'POST /v1/approvals/:id/deny': CARRIES,
  'PUT /v1/engagements/:id': WRITTEN,
  'POST /v1/engagements/:id/reinstate': WRITTEN,
  'POST /v1/engagements/:id/revoke': WRITTEN,
  'POST /v1/kill/lift': SILENT,
  'POST /v1/kill': WRITTEN,
  'DELETE /v1/engagements/:id': SILENT,
  'GET /v1/audit': CARRIES,
  'GET /v1/audit/export (jsonl)': CARRIES,
  'GET /v1/audit/export (ocsf)': CARRIES,
  'GET /v1/audit/key': SILENT,
  'audit file': CARRIES,
  'cli audit tail': SILENT,
  'cli audit tail --json': CARRIES,
  'cli audit export': CARRIES,
  'cli audit verify': SILENT,
  webhooks: CARRIES,
  // The operator's: nobody who guesses reads it, so what anybody found is masked.
  log: { ...CARRIES, foreign: 'masked' },
};

test('every route, export format and tool over MCP has its row in the table, and every row its channel', () => {
  const names = Object.keys(TABLE);
  assert.deepEqual(names.toSorted(), Object.keys(CHANNELS).toSorted());
  const isSearched = (channel: string) => names.some((name) => name === channel || name.startsWith(`${channel} `));
  const channels = [
    ...Object.keys(ACCESS),
    ...EXPORT_FORMATS.map((format) => `GET /v1/runs/:id/export (${format})`),
    ...AUDIT_FORMATS.map((format) => `GET /v1/audit/export (${format})`),
    ...['2025-11-25', '2026-07-28'].flatMap((era) => RUN_TOOL_ENTRIES.map(({ name }) => `POST /mcp ${era} ${name}`)),
  ];
  assert.deepEqual(
    channels.filter((channel) => !isSearched(channel)),
    [],
  );
});

/** By its form a secret is only known as it is; by its value in every spelling. */
const searched = (name: SecretName, secret: string) => (name === 'form' ? [secret] : spellingsOf(secret));

test('no channel shows a secret that it must mask, nor masks one that it must not know', async (t) => {
  const scene = await setScene(t);
  const faults: string[] = [];
  for (const [channel, collect] of Object.entries(CHANNELS)) {
    const text = await collect(scene);
    for (const name of SECRETS) {
      const sight = TABLE[channel]?.[name];
      const secret = scene.secrets[name];
      const isThere = searched(name, secret).some((spelling) => text.includes(spelling));
      const isMasked = new RegExp(`${name}=\\W{0,6}redacted`).test(text);
      if (isThere !== (sight === 'shown')) faults.push(`${channel}: ${name} is ${isThere ? '' : 'not '}there`);
      if (isMasked !== (sight === 'masked')) faults.push(`${channel}: ${name} is ${isMasked ? '' : 'not '}masked`);
    }
    const unclean = /[\p{Cc}\p{Cf}\p{Cs}\p{DI}]/u.exec(text.replace(/[\n\r]/g, ''));
    if (unclean !== null) faults.push(`${channel}: U+${unclean[0].codePointAt(0)?.toString(16)}`);
    if (text.includes(STEERING.slice(0, 40))) faults.push(`${channel}: steers`);
  }
  assert.deepEqual(faults, []);
});

test('what a target says is labelled as data wherever a result or its output is answered', async (t) => {
  const scene = await setScene(t);
  const [runId] = scene.runIds;
  const read = async (part: string) =>
    (await scene.app.inject({ url: `/v1/runs/${runId}${part}`, headers: scene.headers })).body;
  for (const part of ['/result', '/output', '/export?format=json', '/export?format=html', '/export?format=markdown']) {
    const text = decoded(await read(part)).replace(/\\/g, '');
    assert.ok(text.includes(INSTRUCTION.slice(0, 30)), `${part} carries the text`);
    assert.match(text, /data, never instructions|untrusted/i, part);
  }
  const html = await read('/export?format=html');
  assert.doesNotMatch(html, /<script|<img|<[^>]+\son\w+=|href="javascript:/i);
  // Inside a code span nothing is markup.
  const fenced = /^(`{3,}).*?^\1$/gms;
  const markdown = (await read('/export?format=markdown')).replace(fenced, '').replace(/`[^`\n]*`/g, '');
  assert.doesNotMatch(markdown, /\]\(javascript:|<script|<img|!\[/);
  const csv = await read('/export?format=csv');
  assert.doesNotMatch(csv, /(^|,)"?[=+@\t-][A-Za-z]/m);
});

test('a line of a megabyte and long fields are cut, and every cut says so', async (t) => {
  const scene = await setScene(t);
  const input = { hex: Buffer.from(`${lineOf(scene.secrets)}\nend of what was planted\n`).toString('hex') };
  const call = { ...input, note: 'n', passwords: [], keep: [], pad: 1_048_576 };
  const { body, statusCode } = await start(scene, call);
  assert.equal(statusCode, 200, body);
  const { runId, result, cuts } = JSON.parse(body) as {
    runId: string;
    result: { text: string };
    cuts: { path: string; kind: string; omitted: number }[];
  };
  assert.ok(result.text.length <= 8192, String(result.text.length));
  assert.match(result.text, /…\[cut \d+ characters\]$/);
  assert.deepEqual(
    cuts.map(({ path, kind }) => ({ path, kind })),
    [{ path: 'text', kind: 'text' }],
  );
  assert.ok((cuts[0]?.omitted ?? 0) > 1_000_000);
  const page = await scene.app.inject({ url: `/v1/runs/${runId}/findings`, headers: scene.headers });
  for (const finding of (page.json() as { findings: { title: string; evidence: string }[] }).findings) {
    assert.ok(finding.title.length <= 300 && finding.evidence.length <= 4000);
  }
});

test('the end of a field never leaves the first half of a secret behind', async (t) => {
  const scene = await setScene(t);
  const { given, key } = scene.secrets;
  // Around every bound: of an event's message, of evidence and attributes, and of a text in a result.
  for (const [bound, secret] of [300, 1000, 4000, 8192].flatMap((each) =>
    [given, key].map((it) => [each, it] as const),
  )) {
    const before = 'end of what was planted ';
    const text = `${before}${'x'.repeat(bound - before.length - 12)} ${secret} ${'y'.repeat(9000)}\n`;
    const call = { hex: Buffer.from(text).toString('hex'), note: 'n', passwords: [given], keep: [] };
    const answer = await start(scene, call);
    assert.equal(answer.statusCode, 200, answer.body);
    const { runId } = answer.json() as { runId: string };
    for (const part of ['/result', '/findings', '/events', '/output', '/export?format=json']) {
      const { body } = await scene.app.inject({ url: `/v1/runs/${runId}${part}`, headers: scene.headers });
      assert.ok(!body.includes(secret.slice(0, 8)), `${part} at ${bound}`);
    }
  }
});
