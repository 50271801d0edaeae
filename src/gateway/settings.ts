import type { Config } from '../../schemas/config.ts';
import type { LoadedConfig } from '../config.ts';
import type { Clock } from '../core/clock.ts';
import { systemServers } from '../core/targets/dns.ts';
import type { OwnEndpoint } from '../core/targets/own-endpoints.ts';
import { createTargetPolicy } from '../core/targets/policy.ts';
import { createResolver } from '../core/targets/resolver.ts';
import type { TargetPolicy } from '../core/targets/types.ts';
import type { AnyTool } from '../core/tool/definition.ts';
import { createWordlistCatalogue, type WordlistCatalogue } from '../core/tool/wordlists.ts';
import { requireSound } from './configuration-faults.ts';

/** Everything that follows from one configuration and is exchanged as a whole when it is reloaded. */
export interface Settings {
  readonly config: Config;
  readonly policy: TargetPolicy;
  readonly wordlists: WordlistCatalogue;
  readonly allowedHosts: readonly string[];
  readonly allowedOrigins: readonly string[];
}

/** What settings are made from besides the configuration. */
export interface SettingsSources {
  readonly tools: readonly AnyTool[];
  readonly clock: Clock;
  /** Places of our own that no tool may touch, as `address[:port]`. */
  readonly ownAddresses: readonly string[];
  /** Where we listen, once we do. */
  readonly ownEndpoints: () => readonly OwnEndpoint[];
}

/** Makes the settings of a configuration, or throws ERR_CONFIG_INVALID with every fault and changes nothing. */
export function makeSettings({ config }: LoadedConfig, sources: SettingsSources): Settings {
  requireSound(config, sources.tools);
  const { policy, resolver } = config;
  const servers = resolver.servers.length > 0 ? resolver.servers : systemServers();
  return {
    config,
    policy: createTargetPolicy({
      scope: policy.scope,
      denyPorts: policy.denyPorts,
      allowLoopback: policy.allowLoopback,
      ownAddresses: sources.ownAddresses,
      ownEndpoints: sources.ownEndpoints,
      resolvers: servers,
      resolver: createResolver({ ...resolver, servers, clock: sources.clock }),
    }),
    wordlists: createWordlistCatalogue(config.wordlists.directories),
    allowedHosts: [
      ...new Set([hostName(config.host), 'localhost', '127.0.0.1', '::1', ...config.allowedHosts.map(hostName)]),
    ],
    allowedOrigins: config.allowedOrigins,
  };
}

function hostName(host: string): string {
  return host.toLowerCase().replace(/^\[|\]$/g, '');
}
