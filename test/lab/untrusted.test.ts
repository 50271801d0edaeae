/*
 * A target that knows its reader: a page, a banner and a DNS record carry instructions for a model, escape sequences for
 * a terminal, and secrets, one of which a run of this caller found before. Real programs carry it to us.
 */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { EXPORT_FORMATS } from '../../src/exports/formats.ts';
import { connectLegacy, connectModern } from '../fixtures/mcp/clients.ts';
import { type LabWithGateway, startLabWithGateway } from './gateway.ts';
import { HOSTILE, INJECTION, PASSWORD, SECOND, TARGET } from './layout.ts';
import { whyNoLab } from './requirements.ts';
import { type RestAnswer, runTool } from './rest.ts';

/** By its form the access key of a cloud; it is none. */
const FORM = 'AKIA0123456789ABCDEF';
/** As much as nmap's http-title shows; the banner and the record of the lab's hostile services have the instruction. */
const TITLE = `\u001b[2J\u202e pass=${PASSWORD}; form=${FORM};`;
const MASKED = 'pass=[redacted]; form=[redacted];';
const PAGE = `<html><head><title>${TITLE}</title></head><body>${INJECTION}<script>alert(1)</script></body></html>\n`;
const SCAN = { targets: [TARGET], ports: '80', scripts: ['http-title'] };
const BANNER = { targets: [SECOND], ports: String(HOSTILE.escapes), version: 0, scripts: ['banner'] };
const skip = whyNoLab() ?? false;

describe('what a hostile target plants, in every channel', { skip }, () => {
  let both: LabWithGateway;
  const runs: { runId: string; words: string }[] = [];

  before(async () => {
    both = await startLabWithGateway();
    writeFileSync(join(both.lab.directory, 'web', 'index.html'), PAGE);
    await findPassword();
    runs.push({ runId: await started('nmap', SCAN), words: MASKED });
    runs.push({ runId: await started('nmap', BANNER), words: INJECTION });
    runs.push({ runId: await started('dig', { name: 'text.hostile.test', type: 'TXT' }), words: INJECTION });
  });
  after(() => both?.stop());

  async function started(tool: string, input: Record<string, unknown>): Promise<string> {
    const { run, error } = await runTool(both.gateway, tool, { input });
    assert.ok(run, JSON.stringify(error));
    return run.runId;
  }

  /** On a busy machine hydra loses a guess now and then; that is asked again. */
  async function findPassword(): Promise<void> {
    const input = { host: TARGET, service: 'http-get', path: '/private/', users: ['admin'], passwords: [PASSWORD] };
    let answer: RestAnswer | undefined;
    for (let tries = 0; tries < 4 && answer?.run?.complete !== true; tries += 1) {
      answer = await runTool(both.gateway, 'hydra', { input });
    }
    assert.ok(answer?.run?.complete, JSON.stringify(answer?.error));
  }

  async function text(path: string): Promise<string> {
    const headers = { authorization: `Bearer ${both.gateway.key}` };
    const response = await fetch(`${both.gateway.url}${path}`, { headers });
    assert.equal(response.status, 200, path);
    return response.text();
  }

  it('REST answers, events and raw output carry the words and nothing that acts, no secret among them', async () => {
    for (const [at, { runId, words }] of runs.entries()) {
      for (const part of ['', '/result', '/output', '/events', '/findings']) {
        const body = await text(`/v1/runs/${runId}${part}`);
        checkHarmless(body, `${at}${part}`);
        if (part === '/output' || part === '/result') assert.ok(flat(body).includes(words), `${at}${part}: ${body}`);
      }
    }
    checkHarmless(await text('/v1/findings'), 'findings');
    checkHarmless(await text(`/v1/diff?from=${runs[0]?.runId}&to=${runs[1]?.runId}&unchanged=true`), 'diff');
  });

  for (const format of EXPORT_FORMATS) {
    it(`an export as ${format} carries the words as data`, async () => {
      for (const { runId, words } of runs) {
        const body = await text(`/v1/runs/${runId}/export?format=${format}`);
        checkHarmless(body, format);
        assert.ok(flat(body).includes(words), body);
      }
    });
  }

  for (const [era, connect] of Object.entries({ '2025-11-25': connectLegacy, '2026-07-28': connectModern })) {
    it(`an agent gets the words in quotes and is told what they are (MCP ${era})`, async (t) => {
      const { client } = await connect(t, new URL(`${both.gateway.url}/mcp`), { key: both.gateway.key });
      for (const { runId } of runs) {
        for (const name of ['run_status', 'run_result', 'run_findings']) {
          const { content, structuredContent } = await client.callTool({ name, arguments: { runId } });
          const said = JSON.stringify([content, structuredContent]);
          checkHarmless(said, name);
          assert.match(said, /never instructions/, name);
          // A line of its own would read as a word of ours.
          assert.doesNotMatch((content as { text: string }[])[0]?.text ?? '', new RegExp(`^\\s*${INJECTION}`, 'm'));
        }
      }
    });
  }

  it('the log says nothing of it', () => {
    const log = both.gateway.log().join('\n');
    assert.ok(!log.includes(INJECTION));
    checkHarmless(log, 'log');
  });
});

/** The words of a text that was wrapped or escaped on its way. */
function flat(body: string): string {
  return body.replace(/\\n|\n/g, '').replace(/ +/g, ' ');
}

function checkHarmless(body: string, where: string): void {
  for (const secret of [PASSWORD, FORM]) assert.ok(!body.includes(secret), `${where}: ${secret}`);
  assert.doesNotMatch(body.replace(/[\r\n]/g, ''), /[\p{Cc}\p{Cf}\p{Cs}\p{DI}]/u, where);
  assert.doesNotMatch(body, /\\u(001b|0007|0000|0085|202e)/, where);
}
