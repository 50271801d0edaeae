import type { FindingDraft } from '../../core/findings/types.ts';
import { startOf } from '../../core/tool/clean-text.ts';
import type { PinnedTargets } from '../../core/targets/types.ts';
import type { NmapHost, NmapPort, NmapScript } from './output.ts';
import { ratingOfScript, ratingOfService } from './severity.ts';

const MAX_TITLE = 120;
const MAX_EVIDENCE = 600;
/** nmap's certainty of a name that it took from its table by the port number alone. */
const FROM_TABLE = 3;

/** Scripts that speak of TLS. */
const TLS = new Set(
  'ssl-ccs-injection ssl-cert ssl-date ssl-dh-params ssl-enum-ciphers ssl-heartbleed ssl-poodle sslv2 tls-alpn'.split(
    ' ',
  ),
);

/** Scripts whose output has a clock, a counter or a nonce in it: it says nothing that it differs in the next run. */
const VOLATILE = new Set(
  'banner fingerprint-strings http-apache-server-status http-date http-headers ldap-rootdse memcached-info mongodb-info mysql-info ntp-info rdp-ntlm-info redis-info snmp-info snmp-sysdescr ssl-date telnet-ntlm-info vnc-info'.split(
    ' ',
  ),
);

/** The facts of a whole report. A report in which something stands twice is no report of nmap: the first counts. */
export function draftsOfNmap(hosts: readonly NmapHost[], pinned: PinnedTargets): readonly FindingDraft[] {
  const drafts = new Map<string, FindingDraft>();
  for (const draft of hosts.flatMap((host) => draftsOfHost(host, pinned))) {
    const place = JSON.stringify([draft.kind, draft.address, draft.protocol, draft.port, draft.key]);
    if (!drafts.has(place)) drafts.set(place, draft);
  }
  return [...drafts.values()];
}

/** The facts of one host. What depends on how it was asked for, or is another in every run, stands in the evidence. */
export function draftsOfHost(host: NmapHost, pinned: PinnedTargets): readonly FindingDraft[] {
  const place = { target: targetOf(host.address, pinned), address: host.address };
  const os = host.os[0];
  return [
    ...hostDrafts(host, place),
    ...host.ports.flatMap((port) => portDrafts(port, place)),
    ...host.scripts.flatMap((script) => scriptDraft(script, place)),
    ...(os === undefined
      ? []
      : [
          {
            ...place,
            kind: 'note',
            key: 'os',
            title: `Operating system: ${startOf(os.name, MAX_TITLE)}`,
            severity: 'info',
            confidence: 'tentative',
            evidence: startOf(host.os.map(({ name, accuracy }) => `${name} (${accuracy} %)`).join(', '), MAX_EVIDENCE),
            attributes: { os: os.name },
          } as const,
        ]),
  ];
}

interface Place {
  readonly target: string;
  readonly address: string;
}

/** The name by which the caller asked for an address, or the address itself. */
function targetOf(address: string, pinned: PinnedTargets): string {
  return pinned.list.find((target) => target.name !== undefined && target.address === address)?.name ?? address;
}

function hostDrafts(host: NmapHost, place: Place): readonly FindingDraft[] {
  const isOpen = host.ports.some(({ state }) => state === 'open');
  const isClosed = [...host.ports, ...host.otherPorts].some(({ state }) => state === 'closed');
  // "user-set" is nmap told not to ask (-Pn): it then calls every address up, also where nobody is.
  const isUp = host.state === 'up' && host.reason !== '' && host.reason !== 'user-set';
  if (!isOpen && !isUp && !isClosed) return [];
  const { mac, vendor } = host;
  return [
    {
      ...place,
      kind: 'host',
      title: `${place.address} answers`,
      severity: 'info',
      // A refusal can come from a firewall or a translator on the way.
      confidence: isOpen || isUp ? 'firm' : 'tentative',
      evidence: [
        isUp ? host.reason : isOpen ? 'an open port' : 'a closed port',
        ...(mac === '' ? [] : [`${mac} ${vendor}`.trim()]),
      ].join(', '),
      attributes: mac === '' ? {} : { mac },
    },
  ];
}

function portDrafts(port: NmapPort, host: Place): readonly FindingDraft[] {
  if (port.state !== 'open' && port.state !== 'open|filtered') return [];
  const place = { ...host, port: port.port, protocol: port.protocol };
  const usual = port.service === null || port.service.confidence > FROM_TABLE ? '' : port.service.name;
  return [
    {
      ...place,
      kind: 'port',
      title: `${port.port}/${port.protocol} is ${port.state}`,
      severity: 'info',
      confidence: port.state === 'open' ? 'firm' : 'tentative',
      evidence: [port.reason, usual === '' ? '' : `usually ${usual}`].filter((part) => part !== '').join(', '),
      attributes: { state: port.state },
    },
    ...serviceDrafts(port, place),
    ...port.scripts.flatMap((script) => scriptDraft(script, place)),
  ];
}

function serviceDrafts({ service }: NmapPort, place: Place): readonly FindingDraft[] {
  if (service === null || service.name === '' || service.confidence <= FROM_TABLE) return [];
  const { name, product, version, extraInfo, tunnel } = service;
  const { severity, references } = ratingOfService(service);
  const said = [product, version].filter((part) => part !== '').join(' ');
  return [
    {
      ...place,
      kind: 'service',
      title: startOf(`${name}${tunnel === '' ? '' : ' in TLS'}${said === '' ? '' : `: ${said}`}`, MAX_TITLE),
      severity,
      confidence: service.confidence >= 8 ? 'firm' : 'tentative',
      evidence: [said, extraInfo].filter((part) => part !== '').join('; '),
      references,
      attributes: { name, product, version, extraInfo, tunnel },
    },
  ];
}

function scriptDraft(script: NmapScript, place: Place): readonly FindingDraft[] {
  // An empty id is one that was left out for its size.
  if (script.id === '') return [];
  const isVolatile = VOLATILE.has(script.id);
  const first = isVolatile ? '' : (script.output.split('\n').find((line) => line.trim() !== '') ?? '').trim();
  return [
    {
      ...place,
      kind: TLS.has(script.id) ? 'tls' : 'script',
      key: script.id,
      title: startOf(first === '' ? script.id : `${script.id}: ${first}`, MAX_TITLE),
      ...ratingOfScript(script),
      evidence: startOf(script.output.trim(), MAX_EVIDENCE),
      attributes: isVolatile ? {} : { output: script.output },
    },
  ];
}
