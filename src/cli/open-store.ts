import { mkdirSync } from 'node:fs';
import { SallyportError } from '../core/errors.ts';
import type { Store } from '../core/store/types.ts';
import { openStore } from '../store/store.ts';
import type { CommandContext } from './command.ts';
import { dataDirFault } from './environment-check.ts';
import { findDataDir } from './settings.ts';

/** Works on the store of this configuration, whether a gateway runs on it or not, and lets go of it in any case. */
export async function withStore<T>(
  context: CommandContext,
  use: (store: Store) => Promise<T>,
  options: { readonly readOnly?: boolean } = {},
): Promise<T> {
  const dataDir = await findDataDir(context);
  // Written by another user, the file would be one that the gateway can no longer read.
  const fault = dataDirFault(dataDir);
  if (fault !== undefined) throw new SallyportError('ERR_STORE_UNAVAILABLE', fault);
  if (options.readOnly !== true) mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const store = await openStore(dataDir, options);
  try {
    return await use(store);
  } finally {
    await store.close();
  }
}
