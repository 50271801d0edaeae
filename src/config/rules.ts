import { isIP } from 'node:net';
import { posix } from 'node:path';
import type { Config, ToolConfig } from '../../schemas/config.ts';
import { brokenOutgoing } from './policy-rules.ts';

/** A rule between keys, or the syntax of one. `keys` says which keys it reads: it rests when one of them is faulty. */
export interface Broken {
  readonly keys: readonly string[];
  readonly wrong: string;
  readonly right: string;
}

/** What every tool's own section is, by tool name. */
export type ToolSections = ReadonlyMap<string, ToolConfig>;

/** Whether an address to listen on is reachable from this machine only. Anything unclear is not. */
export function isLoopback(host: string): boolean {
  if (host === 'localhost' || host === '::1') return true;
  return isIP(host) === 4 && host.startsWith('127.');
}

/** Every broken rule, all at once. Scope entries are judged by the targets policy, not here. */
export function brokenRules(config: Config, tools: ToolSections): readonly Broken[] {
  return [
    ...listener(config),
    ...browser(config),
    ...limits(config, tools),
    ...execution(config),
    ...lists(config, tools),
    ...brokenOutgoing(config),
  ];
}

function when(broken: boolean, keys: readonly string[], text: { wrong: string; right: string }): readonly Broken[] {
  return broken ? [{ keys, ...text }] : [];
}

function listener({ host, tls, insecureBehindProxy, trustProxy }: Config): readonly Broken[] {
  const hasTls = tls.certFile !== '' && tls.keyFile !== '';
  const open = !isLoopback(host) && !hasTls && !(insecureBehindProxy && trustProxy.length > 0);
  return [
    ...when(host.startsWith('[') || /[\s/@]/.test(host), ['host'], {
      wrong: 'not an address',
      right: 'an IP address without brackets, or localhost',
    }),
    // Keys would cross the network in clear text.
    ...when(open, ['host', 'tls.certFile', 'tls.keyFile', 'insecureBehindProxy', 'trustProxy'], {
      wrong: 'listening beyond loopback without TLS',
      right: 'tls.certFile and tls.keyFile, or insecureBehindProxy: true with trustProxy, or a loopback host',
    }),
    ...when(insecureBehindProxy && trustProxy.length === 0, ['insecureBehindProxy', 'trustProxy'], {
      wrong: 'behind a proxy that is not named',
      right: 'trustProxy: the proxy’s addresses',
    }),
    ...when((tls.certFile === '') !== (tls.keyFile === ''), ['tls.certFile', 'tls.keyFile'], {
      wrong: 'only one of certificate and key',
      right: 'both files, or none',
    }),
    ...when(tls.clientCaFile !== '' && !hasTls, ['tls.clientCaFile', 'tls.certFile', 'tls.keyFile'], {
      wrong: 'client certificates without TLS',
      right: 'tls.certFile and tls.keyFile as well',
    }),
    // A trusted proxy of /0 lets every caller choose the address that rate limits and logs see.
    ...entries('trustProxy', trustProxy, {
      isRight: isProxyNetwork,
      right: 'an address or a network such as 10.0.0.0/8, never /0',
    }),
  ];
}

function browser({ allowedHosts, allowedOrigins }: Config): readonly Broken[] {
  return [
    // `*` would let any web page of the operator's browser in through DNS rebinding.
    ...entries('allowedHosts', allowedHosts, {
      isRight: (host) => isIP(host) !== 0 || /^(?!-)[A-Za-z0-9.-]{1,253}(?<![.-])$/.test(host),
      right: 'a host name or address without port, scheme and wildcard',
    }),
    ...entries('allowedOrigins', allowedOrigins, {
      isRight: isOrigin,
      right: 'https://host[:port] or http://host[:port], without path and wildcard',
    }),
  ];
}

function limits({ health, mcp }: Config, tools: ToolSections): readonly Broken[] {
  return [
    ...when(
      health.staleAfterMs < health.intervalMs + health.timeoutMs,
      ['health.staleAfterMs', 'health.intervalMs', 'health.timeoutMs'],
      { wrong: 'a result would expire before the next one', right: 'staleAfterMs of at least intervalMs + timeoutMs' },
    ),
    ...when(mcp.sessionMaxMs < mcp.sessionIdleMs, ['mcp.sessionMaxMs', 'mcp.sessionIdleMs'], {
      wrong: 'a session would end before it is idle',
      right: 'sessionMaxMs of at least sessionIdleMs',
    }),
    ...when(mcp.maxSessionsPerPrincipal > mcp.maxSessions, ['mcp.maxSessionsPerPrincipal', 'mcp.maxSessions'], {
      wrong: 'one principal may have more sessions than there are',
      right: 'maxSessionsPerPrincipal of at most maxSessions',
    }),
    ...[...tools].flatMap(([name, tool]) =>
      when(
        tool.breakerMaxOpenMs < tool.breakerOpenMs,
        [`tools.${name}.breakerMaxOpenMs`, `tools.${name}.breakerOpenMs`],
        { wrong: 'the longest open time is below the first', right: 'breakerMaxOpenMs of at least breakerOpenMs' },
      ),
    ),
  ];
}

function execution({ execution: { require, disable, raw, scratchDir } }: Config): readonly Broken[] {
  return [
    ...require
      .filter((name) => disable.some((off) => off === name))
      .flatMap((name) =>
        when(true, ['execution.require', 'execution.disable'], {
          wrong: `${name} is required and switched off`,
          right: `${name} in only one of the two`,
        }),
      ),
    ...when(disable.includes('L1') && !disable.includes('L2'), ['execution.disable'], {
      wrong: 'L1 is switched off and L2, whose launcher brings it along, is not',
      right: 'L1 and L2, or neither',
    }),
    ...when(require.includes('raw') && !raw.enabled, ['execution.require', 'execution.raw.enabled'], {
      wrong: 'raw packets are required and not enabled',
      right: 'execution.raw.enabled: true, or no raw in execution.require',
    }),
    ...when(scratchDir !== '' && !isCleanAbsolute(scratchDir), ['execution.scratchDir'], {
      wrong: 'not an absolute path',
      right: 'an absolute path without . and ..',
    }),
    // These three reach masscan's argument vector: an option-shaped value must not.
    ...when(raw.interface !== '' && !/^[A-Za-z0-9][\w.:@-]{0,14}$/.test(raw.interface), ['execution.raw.interface'], {
      wrong: 'not an interface name',
      right: 'a name such as eth0',
    }),
    ...when(raw.adapterIp !== '' && isIP(raw.adapterIp) !== 4, ['execution.raw.adapterIp'], {
      wrong: 'not an IPv4 address',
      right: 'an address such as 10.0.0.5',
    }),
    ...when(
      raw.routerMac !== '' && !/^[0-9a-fA-F]{2}(?:[:-][0-9a-fA-F]{2}){5}$/.test(raw.routerMac),
      ['execution.raw.routerMac'],
      { wrong: 'not a MAC address', right: 'an address such as 66-55-44-33-22-11' },
    ),
  ];
}

function lists({ policy, resolver, wordlists, tools: choice }: Config, tools: ToolSections): readonly Broken[] {
  // A misspelt name in `exclude` would leave that tool offered.
  const known = {
    isRight: (pattern: string) => /^[\w*-]+$/.test(pattern) && [...tools.keys()].some((name) => isMatch(pattern, name)),
    right: `a pattern that matches one of ${[...tools.keys()].join(', ')}`,
  };
  return [
    ...entries('policy.denyPorts', policy.denyPorts, { isRight: isPortRange, right: '502 or 20000-20010' }),
    ...entries('resolver.servers', resolver.servers, {
      isRight: isServer,
      right: '10.0.0.53, 10.0.0.53:5353 or [::1]:53',
    }),
    // `/` would offer every file of the machine as a word list.
    ...entries('wordlists.directories', wordlists.directories, {
      isRight: (path) => isCleanAbsolute(path) && path !== '/',
      right: 'an absolute path without . and .., not /',
    }),
    ...entries('tools.include', choice.include, known),
    ...entries('tools.exclude', choice.exclude, known),
  ];
}

function entries(
  key: string,
  values: readonly string[],
  rule: { readonly isRight: (value: string) => boolean; readonly right: string },
): readonly Broken[] {
  const bad = values.flatMap((value, index) => (rule.isRight(value) ? [] : [index + 1]));
  return when(bad.length > 0, [key], { wrong: `entry ${bad.join(', ')} is not valid`, right: rule.right });
}

/** Whether a tool name fits an include or exclude pattern, where `*` stands for any characters. */
export function isMatch(pattern: string, name: string): boolean {
  const parts = pattern.split('*').map((part) => part.replaceAll(/[^\w]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`).test(name);
}

function isProxyNetwork(entry: string): boolean {
  const [address = '', prefix, ...rest] = entry.split('/');
  const family = isIP(address);
  if (family === 0 || rest.length > 0) return false;
  return prefix === undefined || (/^[1-9]\d{0,2}$/.test(prefix) && Number(prefix) <= (family === 4 ? 32 : 128));
}

function isOrigin(entry: string): boolean {
  return URL.canParse(entry) && /^https?:\/\//.test(entry) && new URL(entry).origin === entry && !entry.includes('*');
}

function isPortRange(entry: string): boolean {
  const match = /^(0|[1-9]\d{0,4})(?:-(0|[1-9]\d{0,4}))?$/.exec(entry);
  if (match === null) return false;
  const from = Number(match[1]);
  const to = Number(match[2] ?? match[1]);
  return from <= to && to <= 65_535;
}

function isServer(entry: string): boolean {
  if (isIP(entry) !== 0) return true;
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([0-9.]+)):([1-9]\d{0,4})$/.exec(entry);
  return match !== null && isIP(match[1] ?? '') + isIP(match[2] ?? '') > 0 && Number(match[3]) <= 65_535;
}

function isCleanAbsolute(path: string): boolean {
  return posix.isAbsolute(path) && posix.normalize(path).replace(/(?<=.)\/$/, '') === path.replace(/(?<=.)\/$/, '');
}
