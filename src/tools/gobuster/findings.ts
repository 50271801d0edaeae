import type { Coverage, FindingDraft } from '../../core/findings/types.ts';
import type { PinnedTarget, PinnedTargets } from '../../core/targets/types.ts';
import type { PinnedWordlist } from '../../core/tool/definition.ts';
import type { GobusterResult } from './parser.ts';

type Entry = GobusterResult['paths'][number];
type Name = GobusterResult['names'][number];

/** Paths under which a server should give nothing to anybody: version control, settings, keys, password files. */
const SENSITIVE = /\/(?:\.git|\.svn|\.hg)(?:\/|$)|\/(?:\.env|\.htpasswd|\.npmrc|\.pgpass|id_rsa)$/;

/** One path that answered. */
export function draftOfPath(base: PinnedTarget, { path, status, size, redirect }: Entry): FindingDraft {
  const key = `${(base.url?.path ?? '/').replace(/\/$/, '')}${path}`;
  // The content was not read: a page made for every path can look the same.
  const isSensitive = status === 200 && SENSITIVE.test(key);
  return {
    kind: 'path',
    ...placeOfUrl(base),
    key,
    title: `${key} answers ${status}`,
    severity: isSensitive ? 'medium' : 'info',
    confidence: isSensitive ? 'tentative' : 'firm',
    evidence: [
      `status ${status}`,
      ...(size === undefined ? [] : [`${size} bytes`]),
      ...(redirect === undefined ? [] : [`points to ${redirect}`]),
      `from ${base.address}`,
    ].join(', '),
    references: isSensitive ? ['CWE-538'] : [],
    attributes: { status, ...(redirect === undefined ? {} : { redirect }) },
  };
}

/**
 * A URL with a name is that name's own site, wherever it is pointed today: no address. With an address it is that
 * machine's.
 */
function placeOfUrl(base: PinnedTarget): Pick<FindingDraft, 'target' | 'address' | 'port' | 'protocol'> {
  return {
    target: base.canonical,
    ...(base.name === undefined ? { address: base.address } : {}),
    ...(base.url === undefined ? {} : { port: base.url.port }),
    protocol: 'tcp',
  };
}

/** One name, as a record of each address family that it has. */
export function draftsOfName(domain: string, { name, addresses }: Name): readonly FindingDraft[] {
  const owner = name.toLowerCase();
  const v6 = addresses.filter((address) => address.includes(':')).toSorted();
  const v4 = addresses.filter((address) => !address.includes(':')).toSorted();
  return [
    ...(v4.length === 0 && v6.length > 0 ? [] : [recordDraft(domain, { owner, type: 'A', values: v4 })]),
    ...(v6.length === 0 ? [] : [recordDraft(domain, { owner, type: 'AAAA', values: v6 })]),
  ];
}

function recordDraft(
  target: string,
  { owner, type, values }: { readonly owner: string; readonly type: string; readonly values: readonly string[] },
): FindingDraft {
  return {
    kind: 'dns_record',
    target,
    key: `${owner} ${type}`,
    title: `${owner} ${type}`,
    severity: 'info',
    confidence: 'firm',
    evidence: values.slice(0, 10).join(', '),
    attributes: { name: owner, type, values },
  };
}

/** The whole list of words, once every one of them was answered; nothing before: it is tried in no order. */
export function coverageOfGobuster(facts: {
  readonly input: {
    readonly mode: 'dir' | 'dns';
    readonly extensions?: readonly string[];
    readonly statusCodes?: readonly number[];
  };
  readonly pinned: PinnedTargets;
  readonly list: PinnedWordlist;
  readonly result: GobusterResult;
  readonly complete: boolean;
}): Coverage {
  const { input, pinned, list, result, complete } = facts;
  const words = `word list ${list.name} (${list.bytes} bytes, ${list.lines} lines)`;
  const subject = pinned.one(input.mode === 'dir' ? 'url' : 'domain').canonical;
  if (!complete) {
    const lost = result.failedRequests === 0 ? '' : `; ${result.failedRequests} requests had no answer`;
    return { areas: [], missing: [`${words} at ${subject}: not tried to its end${lost}.`] };
  }
  if (input.mode === 'dns') {
    const method = `${words}, server ${pinned.one('resolver').canonical}`;
    return {
      areas: [{ kinds: ['dns_record'], subject, method }],
      missing: ['gobuster does not say which look-ups had no answer: a name that is not listed may still be there.'],
    };
  }
  const extensions = input.extensions?.toSorted().join(',') ?? 'none';
  const statuses = input.statusCodes?.toSorted((a, b) => a - b).join(',') ?? 'all but 404';
  const method = `${words}, extensions ${extensions}, statuses ${statuses}`;
  return { areas: [{ kinds: ['path'], subject, protocol: 'tcp', method }], missing: [] };
}
