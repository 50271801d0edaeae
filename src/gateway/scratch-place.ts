import { createHash } from 'node:crypto';
import { accessSync, constants } from 'node:fs';
import { join, resolve } from 'node:path';

/** What decides where working directories lie. */
export interface ScratchPlace {
  /** `execution.scratchDir`; empty: chosen here. */
  readonly configured: string;
  /** Real path of the data directory. */
  readonly dataDir: string;
  /** Tools run under other user ids, which cannot pass through the private data directory. */
  readonly isShared: boolean;
}

/**
 * The parent of the private working directories, always one per data directory, so that a start ends only what an
 * earlier life of the same gateway left behind.
 */
export function chooseScratchParent({ configured, dataDir, isShared }: ScratchPlace): string {
  const own = `sallyport-${createHash('sha256').update(dataDir).digest('hex').slice(0, 16)}`;
  if (configured !== '') return join(resolve(configured), own);
  if (!isShared) return join(dataDir, 'scratch');
  return join(isWritable('/run') ? '/run' : '/tmp', own);
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
