import type { Coverage, FindingDraft } from '../../core/findings/types.ts';
import { startOf } from '../../core/tool/clean-text.ts';
import type { PinnedTarget } from '../../core/targets/types.ts';
import type { DigResult } from './parse.ts';

/** What was asked, as far as findings and coverage need it. */
export interface Question {
  /** Name or address as the caller asked about it. */
  readonly subject: string;
  readonly type: string;
  readonly dnssec: boolean;
  readonly server: PinnedTarget;
}

const MAX_SHOWN = 3;
/** Answers that are one about the name; after any other the server did not look. */
const LOOKED = ['NOERROR', 'NXDOMAIN'];

/**
 * The records of the answer, one finding for all records of a name and type, and what the server said instead of
 * records. Records of the other sections are left out: a server may add them or not as it likes (RFC 2181 §5.4.1).
 */
export function draftsOfDig(question: Question, result: DigResult): readonly FindingDraft[] {
  const sets = new Map<string, DigResult['answer']>();
  for (const record of result.answer) {
    const key = `${ownerOf(record.name)} ${record.type}`;
    const set = sets.get(key);
    if (set === undefined) sets.set(key, [record]);
    else set.push(record);
  }
  const records = [...sets].map(([key, set]) => recordDraft(question, key, set));
  return [...records, ...noteDrafts(question, result)];
}

function recordDraft({ subject, server }: Question, key: string, set: DigResult['answer']): FindingDraft {
  const [first] = set;
  // Servers turn the order of records round (RFC 1794); it means nothing.
  const values = [...new Set(set.map(({ value }) => value))].toSorted();
  return {
    kind: 'dns_record',
    target: subject,
    key,
    title: key,
    severity: 'info',
    confidence: 'firm',
    evidence: `${startOf(values.slice(0, MAX_SHOWN).join(', '), 500)}${values.length > MAX_SHOWN ? ', …' : ''} (TTL ${first?.ttl ?? 0} s, from ${server.canonical})`,
    attributes: { name: ownerOf(first?.name ?? ''), type: first?.type ?? '', values },
  };
}

function noteDrafts(question: Question, result: DigResult): readonly FindingDraft[] {
  const { subject, type, server } = question;
  const note = { kind: 'note', target: subject, severity: 'info', confidence: 'firm' } as const;
  if (type === 'AXFR' && result.answer.length > 0) {
    return [
      {
        ...note,
        // A fault of this server, not of the zone.
        address: server.address,
        port: server.port ?? 53,
        protocol: 'tcp',
        key: `transfer ${subject}`,
        title: `The server gives the zone ${subject} to anybody who asks`,
        severity: 'medium',
        confidence: 'confirmed',
        evidence: `${result.answer.length} records in ${result.messages} messages`,
        references: ['CVE-1999-0532', 'CWE-200'],
      },
    ];
  }
  const said = answerWithoutRecords(type, result);
  if (said === undefined) return [];
  const key = `answer ${type} at ${server.canonical}`;
  return [{ ...note, key, title: said, evidence: `${result.status ?? 'no status'} from ${server.canonical}` }];
}

function answerWithoutRecords(type: string, { status, answer, flags, authority }: DigResult): string | undefined {
  if (status === 'NXDOMAIN') return 'The name does not exist';
  if (status === 'REFUSED') return `The server refuses to answer for ${type}`;
  if (status === 'NOERROR' && answer.length === 0 && isAboutName({ flags, authority })) return `No ${type} record`;
  return undefined;
}

/** RFC 2308 §2.2: without authority and without the zone's SOA an empty answer is a referral to other servers. */
function isAboutName({ flags, authority }: Pick<DigResult, 'flags' | 'authority'>): boolean {
  return flags.includes('aa') || authority.some(({ type }) => type === 'SOA');
}

/** The one question, when the server answered it. A refusal says nothing about the records. */
export function coverageOfDig(question: Question, result: DigResult, complete: boolean): Coverage {
  const { subject, type, dnssec, server } = question;
  const method = `${type}${dnssec ? ' with DNSSEC' : ''} at ${server.canonical}`;
  const missing = (why: string): readonly string[] => [`${subject} ${method}: ${why}.`];
  if (!complete) return { areas: [], missing: missing('not answered, or not to the end') };
  const notes = { kinds: ['note'], subject, method } as const;
  const isTransferred = type === 'AXFR' && result.answer.length > 0;
  if (!isTransferred && !LOOKED.includes(result.status ?? '')) {
    return { areas: [notes], missing: missing('the server refused') };
  }
  if (type === 'ANY') {
    return { areas: [notes], missing: missing('a server answers ANY with whatever records it likes (RFC 8482)') };
  }
  if (result.status === 'NOERROR' && result.answer.length === 0 && !isAboutName(result)) {
    return { areas: [], missing: missing('the server only referred to others') };
  }
  return { areas: [{ kinds: ['dns_record', 'note'], subject, method }], missing: [] };
}

/** RFC 4343: case says nothing in a name. */
function ownerOf(name: string): string {
  return (name === '.' ? name : name.replace(/\.$/, '')).toLowerCase();
}
