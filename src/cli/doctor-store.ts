import { existsSync, statSync } from 'node:fs';
import { SallyportError } from '../core/errors.ts';
import { storePath } from '../store/store-file.ts';
import { openStore } from '../store/store.ts';
import { type Finding, missing, ok } from './doctor-finding.ts';

const MIB = 1_048_576;

/** Whether the store can be opened and is whole: every page, index and reference of it is read. */
export async function storeFinding(dataDir: string): Promise<Finding> {
  const path = storePath(dataDir);
  if (!existsSync(path)) return ok(`store ${path}: not there yet, the first start makes it`);
  try {
    const store = await openStore(dataDir, { readOnly: true });
    try {
      const [first, ...more] = await store.check();
      if (first === undefined) return ok(`store ${path}: whole, ${Math.ceil(statSync(path).size / MIB)} MiB`);
      const others = more.length === 0 ? '' : ` (and ${more.length} more)`;
      return missing(`store ${path}: damaged: ${first}${others}; restore a backup`);
    } finally {
      await store.close();
    }
  } catch (thrown) {
    if (!(thrown instanceof SallyportError)) throw thrown;
    return missing(`store: ${thrown.message}`);
  }
}
