import { SallyportError } from '../core/errors.ts';
import type { LayerState } from '../core/execution/types.ts';

/** Throws ERR_EXEC_CONFINEMENT when a layer that the operator requires was not proved at this start. */
export function requireLayers(required: readonly string[], layers: readonly LayerState[]): void {
  const faults = required.flatMap((name) => {
    const layer = layers.find((candidate) => candidate.name === name);
    if (layer?.state === 'proved') return [];
    return [
      `execution.require names ${name}, which is ${layer?.state ?? 'absent'} here: ${layer?.evidence ?? 'not known'}`,
    ];
  });
  if (faults.length === 0) return;
  throw new SallyportError('ERR_EXEC_CONFINEMENT', `Required confinement is missing: ${faults.join('; ')}.`, {
    details: { faults },
  });
}
