import type { LoadedConfig } from '../config.ts';
import type { OwnEndpoint } from '../core/targets/own-endpoints.ts';
import type { Exchange } from './reload.ts';
import { makeSettings, type Settings, type SettingsSources } from './settings.ts';

/** The settings in force, exchanged as a whole when the configuration is reloaded. */
export interface CurrentSettings {
  readonly settings: () => Settings;
  /** Grows with every configuration that came into force. */
  readonly generation: () => number;
  /** Tells the policy where we listen. */
  readonly listensAt: (endpoints: readonly OwnEndpoint[]) => void;
  /** How a new configuration comes into force; `reconfigure` makes anew what follows from it, or throws and changes nothing. */
  exchange(reconfigure: () => void): Exchange;
}

/** Makes the first settings. Throws ERR_CONFIG_INVALID. */
export function createCurrentSettings(
  loaded: LoadedConfig,
  known: Omit<SettingsSources, 'ownEndpoints'>,
): CurrentSettings {
  let ownEndpoints: readonly OwnEndpoint[] = [];
  const sources = { ...known, ownEndpoints: () => ownEndpoints };
  let current = makeSettings(loaded, sources);
  let generation = 0;
  return {
    settings: () => current,
    generation: () => generation,
    listensAt: (endpoints) => void (ownEndpoints = endpoints),
    exchange: (reconfigure) => ({
      make: (next) => makeSettings(next, sources),
      apply: (next) => {
        const before = current;
        current = next;
        try {
          reconfigure();
        } catch (thrown) {
          current = before;
          throw thrown;
        }
        generation += 1;
      },
    }),
  };
}
