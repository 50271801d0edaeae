import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LayerName, LayerState } from '../../src/core/execution/types.ts';
import { requireLayers } from '../../src/gateway/required-layers.ts';

const layer = (name: LayerName, state: LayerState['state']): LayerState => ({
  name,
  state,
  evidence: `seen of ${name}`,
  stopped: [],
  unproved: [],
});

test('a required layer that is absent, got through or unknown stops the start, and all of them are told', () => {
  const layers = [layer('L0', 'proved'), layer('L2', 'failed'), layer('L3', 'absent')];
  requireLayers([], layers);
  requireLayers(['L0'], layers);
  assert.throws(
    () => requireLayers(['L0', 'L2', 'L3', 'L4'], layers),
    (thrown: { code: string; details: { faults: readonly string[] } }) => {
      assert.equal(thrown.code, 'ERR_EXEC_CONFINEMENT');
      assert.deepEqual(thrown.details.faults, [
        'execution.require names L2, which is failed here: seen of L2',
        'execution.require names L3, which is absent here: seen of L3',
        'execution.require names L4, which is absent here: not known',
      ]);
      return true;
    },
  );
});
