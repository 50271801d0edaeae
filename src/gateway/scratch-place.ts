import { createHash } from 'node:crypto';
import { join, resolve } from 'node:path';

/** What decides where working directories lie. */
export interface ScratchPlace {
  /** `execution.scratchDir`; empty: in the data directory. */
  readonly configured: string;
  /** Real path of the data directory. */
  readonly dataDir: string;
}

/**
 * The parent of the private working directories, always one per data directory, so that a start ends only what an
 * earlier life of the same gateway left behind.
 */
export function chooseScratchParent({ configured, dataDir }: ScratchPlace): string {
  if (configured === '') return join(dataDir, 'scratch');
  return join(resolve(configured), `sallyport-${createHash('sha256').update(dataDir).digest('hex').slice(0, 16)}`);
}
