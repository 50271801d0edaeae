import type { Config } from '../../schemas/config.ts';

/** A complete, frozen configuration and where each value was written. */
export interface LoadedConfig {
  readonly config: Config;
  /** By dotted path: `default`, `file:line`, or the environment variable. */
  readonly sources: Readonly<Record<string, string>>;
  /** The configuration file, when there is one. */
  readonly file?: string;
  readonly toolNames: readonly string[];
}
