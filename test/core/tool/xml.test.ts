import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createXmlReader } from '../../../src/core/tool/xml.ts';

function read(...chunks: readonly (string | Buffer)[]) {
  const seen: string[] = [];
  const reader = createXmlReader({
    open: (element) => void seen.push(`<${element.name} ${element.attribute('a')}`),
    close: (name) => void seen.push(`>${name}`),
  });
  for (const chunk of chunks) reader.push(typeof chunk === 'string' ? Buffer.from(chunk) : chunk);
  return { seen, sound: reader.sound };
}

describe('createXmlReader', () => {
  it('reports elements and their attributes as they come', () => {
    assert.deepEqual(read('<x a="1"><y a="&lt;&#65;"/>', '</x>'), { seen: ['<x 1', '<y <A', '>y', '>x'], sound: true });
  });

  it('answers an absent attribute with an empty text, also one that every object has', () => {
    const values: string[] = [];
    const reader = createXmlReader({
      open: (element) => void values.push(element.attribute('constructor'), element.attribute('__proto__')),
      close: () => undefined,
    });
    reader.push(Buffer.from('<x/>'));
    assert.deepEqual(values, ['', '']);
  });

  it('does not expand declared entities and does not fetch external ones', () => {
    const bomb = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY f SYSTEM "file:///etc/hostname">]>';
    const { seen, sound } = read(`${bomb}<x a="&a;&f;"><y a="2"/></x>`);
    assert.equal(sound, false);
    assert.deepEqual(seen, []);
  });

  it('stops for good at the first break of form and keeps what came before', () => {
    const { seen, sound } = read('<x a="1"><y a="2"/></z><w a="3"/>', '<v a="4"/>');
    assert.equal(sound, false);
    assert.deepEqual(seen.slice(0, 3), ['<x 1', '<y 2', '>y']);
    assert.ok(!seen.some((line) => line.startsWith('<w') || line.startsWith('<v')));
  });

  it('reads on over a character that XML has no place for', () => {
    assert.deepEqual(read('<x a="b&#1;c"><y a="\u0001"/></x>').sound, true);
  });

  it('stops where such characters are all there is, instead of spending seconds on them', () => {
    assert.equal(read('<x>', Buffer.alloc(8 * 1024 * 1024)).sound, false);
  });

  it('stops at nesting that no report has', () => {
    const { seen, sound } = read('<x>'.repeat(100_000));
    assert.equal(sound, false);
    assert.equal(seen.length, 64);
  });

  it('holds no more than a mebibyte of one element', () => {
    const chunk = Buffer.alloc(65_536, 'x');
    const before = process.memoryUsage().rss;
    const { sound } = read('<x a="', ...Array.from({ length: 1600 }, () => chunk));
    assert.equal(sound, false);
    assert.ok(process.memoryUsage().rss - before < 80 * 1024 * 1024, '100 MiB were written');
  });
});
