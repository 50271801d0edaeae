import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createHeard, hearStdout } from '../../src/tools/hydra/heard.ts';
import { growth, LINEAR } from '../fixtures/cpu-cost.ts';
import { createParsed } from '../tools/parser-promises.ts';
import { prepare, registeredTools } from '../tools/under-test.ts';

describe('found by fuzzing the parsers', () => {
  it('nmap output with a long silence is read the same however it is cut', async () => {
    const tool = (await registeredTools()).find(({ definition }) => definition.name === 'nmap');
    const [example] = tool?.definition.examples ?? [];
    assert.ok(tool !== undefined && example !== undefined);
    const parsed = createParsed(tool, await prepare(tool, example.input));
    const end = '</host><runstats><finished exit="success"/><hosts up="1" down="0" total="1"/></runstats></nmaprun>';
    const verdicts = new Set<boolean>();
    for (const silence of [1_000_000, 1_048_576, 1_078_576, 1_110_000, 1_114_112, 1_150_000]) {
      const document = Buffer.from(
        `<nmaprun><host><address addr="10.77.0.10" addrtype="ipv4"/>${'x'.repeat(silence)}${end}`,
      );
      const [whole, ...others] = [document.length, 65_536, 40_000, 1000].map((size) => {
        const count = Math.ceil(document.length / size);
        return parsed({
          stdout: Array.from({ length: count }, (_, at) => document.subarray(at * size, (at + 1) * size)),
        });
      });
      for (const other of others) assert.deepEqual(other, whole, `${silence} bytes of silence`);
      if (whole !== undefined) verdicts.add(whole.complete);
    }
    assert.deepEqual([...verdicts], [true, false]);
  });

  it('a line of hydra full of the mark of an attempt costs no more than its length', () => {
    const line = (size: number) => () => hearStdout(createHeard(), '[ATTEMPT] target '.repeat(size));
    // Eight times as much is the longest line that is read.
    assert.ok(growth(line, 30) < LINEAR);
  });

  it('attempts of hydra are counted as before', () => {
    const sent = (text: string) => {
      const heard = createHeard();
      hearStdout(heard, text);
      return heard.sent;
    };
    assert.equal(sent('[ATTEMPT] target 10.0.0.1 - login "a" - pass "b" - 1 of 4 [child 0] (0/0)'), 1);
    assert.equal(sent('junk [ATTEMPT] target x (1/22)'), 1);
    for (const text of [
      '[ATTEMPT] target x',
      '[ATTEMPT] target x (1/2) ',
      '(0/0)',
      ' (0/0)[ATTEMPT] target ',
      '[ATTEMPT] target (1/2)',
    ]) {
      assert.equal(sent(text), 0, text);
    }
  });
});
