import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { SaxesParser } from 'saxes';
import { html } from '../../src/exports/html-markup.ts';
import { fuzz } from '../fixtures/fuzz.ts';
import { anyFinding, HOSTILE_TEXTS, sampleFinding, sampleRun, sourceOf, textOf } from './sample.ts';

const VOID = /<(meta|rect)((?:\s[^<>]*?)?)\/?>/g;

interface Element {
  readonly name: string;
  readonly attributes: Record<string, string>;
}

/** Every element of a page. The page is written so strictly that an XML parser reads it, and throws at what is not closed. */
function elementsOf(page: string): Element[] {
  const elements: Element[] = [];
  const parser = new SaxesParser();
  parser.on('opentag', ({ name, attributes }) =>
    elements.push({ name, attributes: attributes as Record<string, string> }),
  );
  parser.on('error', (error) => {
    throw error;
  });
  parser.write(page.replace('<!DOCTYPE html>', '').replace(VOID, '<$1$2/>').trim()).close();
  return elements;
}

const OURS = new Set(
  'html head meta title style body header footer main nav ul li a p h1 h2 h3 h4 strong div span section article table caption thead tbody tr th td svg rect dl dt dd pre'.split(
    ' ',
  ),
);
const ATTRIBUTES = new Set(
  'lang charset http-equiv content name class id scope href aria-label aria-hidden colspan tabindex viewBox preserveAspectRatio x y width height'.split(
    ' ',
  ),
);

test('a hostile finding adds no element and no attribute of its own', async (t) => {
  await fuzz(
    t,
    fc.asyncProperty(fc.array(anyFinding, { maxLength: 8 }), async (findings) => {
      const page = await textOf('html', sourceOf(sampleRun({ degraded: [...HOSTILE_TEXTS] }), findings));
      for (const { name, attributes } of elementsOf(page)) {
        assert.ok(OURS.has(name), name);
        for (const attribute of Object.keys(attributes)) assert.ok(ATTRIBUTES.has(attribute), attribute);
        assert.match(attributes['href'] ?? '#', /^#/);
      }
      assert.doesNotMatch(page.replaceAll('\n', ''), /[\p{Cc}\p{Cf}\p{Cs}]/u);
    }),
  );
});

test('a text in a template is a text, in an element and in an attribute', () => {
  for (const text of HOSTILE_TEXTS) {
    const { text: markup } = html`<p title="${text}" lang='${text}'>${text}</p>`;
    const [element, ...more] = elementsOf(markup);
    assert.deepEqual(Object.keys(element?.attributes ?? {}), ['title', 'lang'], text);
    assert.deepEqual(more, [], text);
  }
});

test('the policy of the page allows its one style and nothing else', async () => {
  const page = await textOf('html', sourceOf(sampleRun(), []));
  const style = /<style>([\s\S]*?)<\/style>/.exec(page)?.[1] ?? '';
  const hash = createHash('sha256').update(style).digest('base64');
  const policy = elementsOf(page).find(({ attributes }) => attributes['http-equiv'] === 'Content-Security-Policy');
  assert.equal(
    policy?.attributes['content'],
    `default-src 'none'; style-src 'sha256-${hash}'; base-uri 'none'; form-action 'none'`,
  );
  assert.doesNotMatch(style, /url\(|@import|@font-face/);
});

test('the page has a language, one first heading, chapters to go to, and tables whose heads have a scope', async () => {
  const elements = elementsOf(await textOf('html', sourceOf(sampleRun(), [sampleFinding({ evidence: 'x' })])));
  assert.equal(elements.find(({ name }) => name === 'html')?.attributes['lang'], 'en');
  assert.equal(elements.filter(({ name }) => name === 'h1').length, 1);
  for (const { name, attributes } of elements)
    if (name === 'th') assert.ok(attributes['scope'], 'a head without scope');
  const ids = new Set(elements.map(({ attributes }) => attributes['id']));
  const links = elements.filter(({ name }) => name === 'a').map(({ attributes }) => attributes['href']?.slice(1));
  assert.equal(links.length, 6);
  for (const link of links) assert.ok(ids.has(link), link);
  const levels = elements.flatMap(({ name }) => (/^h[1-4]$/.test(name) ? [Number(name[1])] : []));
  for (const [at, level] of levels.entries())
    assert.ok(level - (levels[at - 1] ?? 0) <= 1, 'a heading that skips a level');
});

test('the page tells ports per host, evidence and the arguments of the program', async () => {
  const findings = [
    sampleFinding({
      kind: 'tls',
      port: 443,
      severity: 'medium',
      title: 'TLS 1.0 is offered',
      evidence: 'TLSv1.0 offered',
    }),
    sampleFinding({ port: 443, title: 'https' }),
    sampleFinding({ port: 80 }),
    sampleFinding({ address: '10.77.0.20', target: '10.77.0.20', port: 22, title: 'ssh' }),
  ];
  const page = await textOf('html', sourceOf(sampleRun(), findings));
  assert.equal(elementsOf(page).filter(({ attributes }) => attributes['class'] === 'host').length, 2);
  assert.ok(page.indexOf('>80/tcp<') < page.indexOf('>443/tcp<'), 'ports stand in order');
  assert.match(page, /<pre[^>]*>TLSv1\.0 offered<\/pre>/);
  assert.match(page, /<pre[^>]*>-n\n-Pn\n/);
});
