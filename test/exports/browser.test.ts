import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { sampleFinding, sampleRun, sourceOf, textOf } from './sample.ts';

const CHROMIUM = '/usr/bin/chromium';
const skip = existsSync(CHROMIUM) ? false : 'no /usr/bin/chromium on this machine';
const TIMEOUT_MS = 120_000;

/** What a banner would do if it became markup: each line runs or loads something from `address`. */
function attacks(address: string): string[] {
  return [
    `<script>document.title='pwned';fetch('${address}/fetch')</script>`,
    `<script src="${address}/script.js"></script>`,
    `<img src="${address}/img.png" onerror="document.title='pwned'">`,
    `"><svg onload="document.title='pwned'"><image href="${address}/svg.png"/></svg>`,
    `</pre></title></style><script>document.title='pwned'</script><iframe src="${address}/frame"></iframe>`,
    `<link rel="stylesheet" href="${address}/style.css"><link rel="prefetch" href="${address}/prefetch">`,
    `<style>body { background: url(${address}/background.png) }</style>`,
    `<meta http-equiv="refresh" content="0;url=${address}/refresh">`,
    `<video autoplay src="${address}/video"></video><object data="${address}/object"></object>`,
  ];
}

/** A server of the attacker that counts who comes. */
async function listen(t: TestContext): Promise<{ address: string; asked: string[] }> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url ?? '');
    response.end();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  return { address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}

/** The page as the browser has it after everything in it has run. */
async function opened(t: TestContext, page: string): Promise<string> {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-browser-'));
  t.after(() => rmSync(directory, { recursive: true, force: true, maxRetries: 5 }));
  const file = join(directory, 'report.html');
  writeFileSync(file, page);
  const { stdout } = await promisify(execFile)(
    CHROMIUM,
    [
      '--headless',
      // The page is not trusted, but the machine of a test often cannot give the browser its own sandbox.
      '--no-sandbox',
      '--disable-gpu',
      '--disable-dev-shm-usage',
      `--user-data-dir=${join(directory, 'profile')}`,
      '--virtual-time-budget=3000',
      '--dump-dom',
      pathToFileURL(file).href,
    ],
    { timeout: TIMEOUT_MS, maxBuffer: 64 * 1024 * 1024, env: { HOME: directory, PATH: '/usr/bin:/bin' } },
  );
  return stdout;
}

test('a hostile report opened in a browser runs nothing and asks for nothing', { skip }, async (t) => {
  const { address, asked } = await listen(t);
  const findings = attacks(address).flatMap((text) => [
    sampleFinding({ title: text, evidence: text, target: text, attributes: { [text]: text }, references: [text] }),
    sampleFinding({ kind: 'script', title: text, evidence: text, protocol: text, severity: 'high' }),
  ]);
  const run = sampleRun({ argv: attacks(address), degraded: attacks(address), state: 'lost' });
  const dom = await opened(t, await textOf('html', sourceOf(run, findings, { areas: [], missing: attacks(address) })));
  assert.match(dom, /<title>Scan report: nmap – INCOMPLETE/, 'the page was opened');
  assert.match(dom, /End of the report: 18 findings/, 'the page was read to its end');
  assert.deepEqual(asked, []);
});

test('the same attacks, not escaped, do run and ask: the browser of this test would have shown it', {
  skip,
}, async (t) => {
  const { address, asked } = await listen(t);
  const dom = await opened(
    t,
    `<!DOCTYPE html><html><head><title>x</title></head><body>${attacks(address)[2]}</body></html>`,
  );
  assert.match(dom, /<title>pwned<\/title>/);
  assert.deepEqual(asked, ['/img.png']);
});

test('the policy alone holds what would get past the escaping', { skip }, async (t) => {
  const { address, asked } = await listen(t);
  const page = await textOf('html', sourceOf(sampleRun(), [sampleFinding({ title: 'PLACE' })]));
  const dom = await opened(t, page.replaceAll('PLACE', attacks(address).slice(0, 6).join('')));
  assert.match(dom, /<title>Scan report: nmap/, 'no script ran');
  assert.match(dom, /<img src=/, 'the attack was markup');
  assert.deepEqual(asked, []);
});
