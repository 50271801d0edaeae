import type { Config } from '../../schemas/config.ts';
import type { EngagementDocument } from '../../schemas/engagement.ts';
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
  /** Makes the target policy of one engagement, below what the configuration denies to everybody. Throws ERR_CONFIG_INVALID. */
  readonly makePolicy: (of: PolicyRules) => TargetPolicy;
  /** The engagement `default`; undefined when it is not offered. */
  readonly defaultEngagement: EngagementDocument | undefined;
  readonly wordlists: WordlistCatalogue;
  readonly allowedHosts: readonly string[];
  readonly allowedOrigins: readonly string[];
}

/** Scope and ports of one engagement. */
export interface PolicyRules {
  readonly scope: { readonly allow: readonly string[]; readonly deny: readonly string[] };
  readonly denyPorts: readonly string[];
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
  const cached = createResolver({ ...resolver, servers, clock: sources.clock });
  return {
    config,
    makePolicy: ({ scope, denyPorts }) =>
      createTargetPolicy({
        // Attack: an engagement that is written over REST lifts what the operator of the machine denied to everybody.
        scope: { allow: scope.allow, deny: [...new Set([...policy.scope.deny, ...scope.deny])] },
        denyPorts: [...new Set([...policy.denyPorts, ...denyPorts])],
        allowLoopback: policy.allowLoopback,
        ownAddresses: sources.ownAddresses,
        ownEndpoints: sources.ownEndpoints,
        resolvers: servers,
        resolver: cached,
      }),
    defaultEngagement: config.engagements.offerDefault ? defaultEngagement(config) : undefined,
    wordlists: createWordlistCatalogue(config.wordlists.directories),
    allowedHosts: [
      ...new Set([hostName(config.host), 'localhost', '127.0.0.1', '::1', ...config.allowedHosts.map(hostName)]),
    ],
    allowedOrigins: config.allowedOrigins,
  };
}

/** What a fresh start permits: the configuration's own scope, for every key. */
function defaultEngagement({ policy: { scope, denyPorts, risk } }: Config): EngagementDocument {
  return {
    id: 'default',
    title: 'The scope of the configuration',
    approver: 'the operator, by the configuration',
    principals: ['*'],
    scope: { allow: [...scope.allow], deny: [...scope.deny] },
    ports: { deny: [...denyPorts] },
    tools: { allow: ['*'] },
    risk,
  };
}

function hostName(host: string): string {
  return host.toLowerCase().replace(/^\[|\]$/g, '');
}
