import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RUN_STATES } from '../../../schemas/run-record.ts';
import type { ComparedRun } from '../../../src/core/findings/diff.ts';
import { notesOf } from '../../../src/core/findings/diff-notes.ts';
import { portsOf, runOf } from './samples.ts';

const one: ComparedRun = { run: runOf({ runId: 'run_a' }), coverage: portsOf('10.77.0.0/24') };
const other: ComparedRun = { ...one, run: runOf({ runId: 'run_b' }) };
const withRun = (patch: Parameters<typeof runOf>[0]): ComparedRun => ({ ...other, run: { ...other.run, ...patch } });
const only = (notes: readonly string[]): string => {
  assert.equal(notes.length, 1, notes.join('\n'));
  return notes[0] ?? '';
};

describe('the notes of a comparison', () => {
  it('are none for two whole runs of one tool in order', () => {
    assert.deepEqual(notesOf({ from: one, to: other }), []);
  });

  it('name two tools, two versions, and the wrong order', () => {
    assert.match(only(notesOf({ from: one, to: withRun({ tool: 'masscan' }) })), /nmap and masscan/);
    assert.match(only(notesOf({ from: one, to: withRun({ toolVersion: '7.96' }) })), /two versions of nmap/);
    const later = { ...one, run: { ...one.run, createdAt: '2026-01-02T00:00:00.000Z' } };
    assert.match(only(notesOf({ from: later, to: other })), /run_a is the later one/);
  });

  it('tell for every state but a whole success that a run is no whole run', () => {
    for (const state of RUN_STATES.filter((each) => each !== 'succeeded')) {
      assert.match(
        only(notesOf({ from: one, to: withRun({ state, complete: false }) })),
        new RegExp(`run_b .*${state}`),
      );
    }
    assert.match(only(notesOf({ from: withRun({ complete: false }), to: one })), /did not finish looking/);
  });

  it('tell what a run left out, degraded, or that nobody knows what it looked at', () => {
    assert.match(only(notesOf({ from: one, to: { ...other, coverage: undefined } })), /run_b looked at is not known/);
    const missing = Array.from({ length: 8 }, (_, at) => `10.77.0.${at}`);
    const note = only(notesOf({ from: one, to: { ...other, coverage: { areas: [], missing } } }));
    assert.match(note, /run_b left out: 10\.77\.0\.0; .*10\.77\.0\.4 \(and 3 more\)/);
    assert.match(only(notesOf({ from: one, to: withRun({ degraded: ['-sS → -sT'] }) })), /degraded: -sS → -sT/);
  });

  it('are short and without hidden characters, whatever was left out', () => {
    const missing = [`\u202e\u001b[31m\n${'x'.repeat(1_000_000)}`];
    const note = only(notesOf({ from: one, to: { ...other, coverage: { areas: [], missing } } }));
    assert.ok(note.length < 400);
    assert.doesNotMatch(note, /[\p{Cc}\p{Cf}]/u);
  });

  it('of a run with itself say that, and what limits it, once', () => {
    const cut = withRun({ complete: false, state: 'timed_out' });
    assert.deepEqual(notesOf({ from: cut, to: cut }).length, 2);
  });
});
