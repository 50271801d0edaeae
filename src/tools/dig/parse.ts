import { type Static, Type } from '@sinclair/typebox';
import type { FindingDraft } from '../../core/findings/types.ts';
import { cleanText } from '../../core/tool/clean-text.ts';
import type { ParseOutcome, ToolEnd, ToolEvent, ToolParser } from '../../core/tool/definition.ts';
import { createLineReader } from '../../core/tool/lines.ts';

const MAX_RECORDS = 5000;
const MAX_MESSAGES = 1000;
const MAX_LINE = 16_384;
const MAX_NAME = 1024;
const MAX_VALUE = 4000;
const MAX_TEXT = 2_000_000;

/** A cleaned text with room for the words that say how much of it was cut. */
const text = (maxLength: number, description?: string) =>
  Type.String({ maxLength: maxLength + 40, ...(description === undefined ? {} : { description }) });
const closed = { additionalProperties: false } as const;
const RecordSchema = Type.Object(
  {
    name: text(MAX_NAME),
    ttl: Type.Integer({ minimum: 0, description: 'Seconds.' }),
    class: text(20),
    type: text(20),
    value: text(MAX_VALUE, 'Record data in master-file form; comes from the target.'),
  },
  closed,
);
type DnsRecord = Static<typeof RecordSchema>;

/** What a dig run tells. */
export const DigResultSchema = Type.Object(
  {
    status: Type.Union([Type.String({ maxLength: 20 }), Type.Null()], {
      description: 'NOERROR, NXDOMAIN, REFUSED, SERVFAIL, …; null when no answer came or its header was not shown.',
    }),
    flags: Type.Array(Type.String({ maxLength: 10 }), { maxItems: 16 }),
    question: Type.Union([
      Type.Object(
        {
          name: text(MAX_NAME),
          class: text(20),
          type: text(20),
        },
        closed,
      ),
      Type.Null(),
    ]),
    answer: Type.Array(RecordSchema),
    authority: Type.Array(RecordSchema),
    additional: Type.Array(RecordSchema),
    server: Type.Union([
      Type.Object(
        {
          address: Type.String({ maxLength: 45 }),
          port: Type.Integer({ minimum: 0, maximum: 65_535 }),
          transport: Type.Union([Type.Literal('udp'), Type.Literal('tcp')]),
        },
        closed,
      ),
      Type.Null(),
    ]),
    queryTimeMs: Type.Union([Type.Integer({ minimum: 0 }), Type.Null()]),
    messages: Type.Integer({ minimum: 0, description: 'DNS messages received; a zone transfer takes several.' }),
    extendedErrors: Type.Array(text(200), {
      maxItems: 16,
      description: 'RFC 8914, server’s words.',
    }),
    notes: Type.Array(Type.String({ maxLength: 200 }), { description: 'What is missing or was cut, and why.' }),
  },
  closed,
);
export type DigResult = Static<typeof DigResultSchema>;

type Section = 'question' | 'answer' | 'authority' | 'additional';

/** What the parser is told of the call. */
export interface DigCall {
  readonly type: string;
  draftsOf(result: DigResult): readonly FindingDraft[];
  emit(event: ToolEvent): void;
}

interface Reading {
  readonly result: DigResult;
  readonly call: DigCall;
  readonly notes: Set<string>;
  section: Section | undefined;
  askedAt: number;
  records: number;
  textLeft: number;
  cut: boolean;
  error: 'unreachable' | 'other' | undefined;
}

/**
 * Reads `dig +yaml` of BIND 9.18 line by line: its layout is fixed and every record stands on a line of its own with
 * control characters as \DDD, so no YAML document, anchor, tag or alias of a hostile server is ever built.
 */
export function parseDig(call: DigCall): ToolParser<DigResult> {
  const reading: Reading = {
    result: {
      status: null,
      flags: [],
      question: null,
      answer: [],
      authority: [],
      additional: [],
      server: null,
      queryTimeMs: null,
      messages: 0,
      extendedErrors: [],
      notes: [],
    },
    call,
    notes: new Set(),
    section: undefined,
    askedAt: Number.NaN,
    records: 0,
    textLeft: MAX_TEXT,
    cut: false,
    error: undefined,
  };
  const lines = createLineReader(MAX_LINE, (line) => takeLine(reading, line));
  return {
    stdout: (chunk) => lines.push(chunk),
    end: (end) => {
      lines.end();
      const outcome = conclude(reading, call.type, end);
      // One message is one fact: nothing of it is whole before its end.
      for (const draft of call.draftsOf(outcome.result)) call.emit({ kind: 'finding', message: draft.title, draft });
      return outcome;
    },
  };
}

function takeLine(reading: Reading, line: string): void {
  const entry = /^ {8}- '(.*?)'?$/s.exec(line);
  if (entry !== null) {
    takeEntry(reading, (entry[1] ?? '').replaceAll("''", "'"));
    return;
  }
  const heading = /^ {6}(QUESTION|ANSWER|AUTHORITY|ADDITIONAL)_SECTION:$/.exec(line);
  if (heading !== null) reading.section = (heading[1] ?? '').toLowerCase() as Section;
  else if (line.startsWith('- type: ')) openDocument(reading, line.slice(8));
  else if (line === '    no servers could be reached') reading.error = 'unreachable';
  else if (line.startsWith('; Transfer failed')) reading.notes.add('The server did not give the whole zone.');
  else takeField(reading, line);
}

function openDocument(reading: Reading, type: string): void {
  reading.section = undefined;
  if (type !== 'MESSAGE') reading.error ??= 'other';
  else if (reading.result.messages < MAX_MESSAGES) {
    reading.result.messages += 1;
    reading.call.emit(progress(reading));
  }
}

/** A query is one question; how many messages a zone takes is only known when the last has come. */
function progress({ call, result, records }: Reading): ToolEvent {
  if (call.type !== 'AXFR') return { kind: 'progress', percent: 100, done: 1, total: 1, message: 'answered' };
  return { kind: 'progress', done: records, message: `records, before message ${result.messages}` };
}

function takeEntry(reading: Reading, text: string): void {
  const { result, section } = reading;
  if (section === undefined) return;
  if (section === 'question') {
    const asked = /^(\S+) (\S+) (\S+)$/.exec(text);
    if (asked === null) return;
    result.question ??= { name: cut(asked[1], MAX_NAME), class: cut(asked[2], 20), type: cut(asked[3], 20) };
    return;
  }
  const found = /^(\S+) (\d{1,10}) (\S+) (\S+)(?: (.*))?$/s.exec(text);
  if (found === null) {
    reading.cut = true;
    reading.notes.add('A record was not in the form that dig writes and was left out.');
    return;
  }
  const record: DnsRecord = {
    name: cut(found[1], MAX_NAME),
    ttl: Number(found[2]),
    class: cut(found[3], 20),
    type: cut(found[4], 20),
    value: cut(found[5], MAX_VALUE),
  };
  reading.records += 1;
  reading.textLeft -= record.name.length + record.value.length;
  if (reading.records > MAX_RECORDS || reading.textLeft < 0) {
    reading.cut = true;
    reading.notes.add(
      `Only the first ${result.answer.length + result.authority.length + result.additional.length} records are listed.`,
    );
    // Everything after the first omission is left out, so that the note stays true.
    reading.textLeft = -1;
    return;
  }
  result[section].push(record);
}

function takeField(reading: Reading, line: string): void {
  const field = /^ +([A-Za-z_-]+): ?(.*)$/s.exec(line);
  if (field === null) return;
  const { result } = reading;
  const value = (field[2] ?? '').replace(/^!!timestamp |^"|"$/g, '');
  const indent = line.search(/\S/);
  const key = field[1] ?? '';
  if (key === 'status' && indent === 6 && /^[A-Z0-9_]{2,20}$/.test(value)) result.status = value;
  else if (key === 'flags' && indent === 6)
    result.flags = value
      .split(' ')
      .filter((flag) => /^[a-z]{2}$/.test(flag))
      .slice(0, 16);
  else if (key === 'query_time' && indent === 4) reading.askedAt = Date.parse(value);
  else if (key === 'response_time' && indent === 4) takeTime(reading, Date.parse(value));
  else if (key === 'response_address' && indent === 4 && /^[0-9a-f.:]{2,45}$/.test(value)) {
    result.server = { address: value, port: result.server?.port ?? 0, transport: result.server?.transport ?? 'udp' };
  } else if (key === 'response_port' && result.server !== null && /^\d{1,5}$/.test(value) && Number(value) < 65_536) {
    result.server.port = Number(value);
  } else if (key === 'socket_protocol' && indent === 4) {
    result.server = { address: '', port: 0, transport: value === 'TCP' ? 'tcp' : 'udp' };
  } else if (key === 'INFO-CODE' || key === 'EXTRA-TEXT') {
    if (result.extendedErrors.length < 16) result.extendedErrors.push(cleanText(value, 200));
  }
}

function takeTime({ result, askedAt }: Reading, answeredAt: number): void {
  const elapsed = answeredAt - askedAt;
  if (Number.isSafeInteger(elapsed) && elapsed >= 0) result.queryTimeMs = elapsed;
}

function conclude(reading: Reading, type: string, end: ToolEnd): ParseOutcome<DigResult> {
  const { result, notes } = reading;
  const isWhole = type !== 'AXFR' || isWholeZone(result);
  if (!isWhole && result.answer.length > 0) notes.add('The zone transfer ended early: records are missing.');
  if (result.flags.includes('tc')) notes.add('The server cut its answer short.');
  const isAnswered = hasAnswered(result, type);
  if (result.status !== null && !isAnswered) notes.add(`The server did not look (${result.status}): nothing is known.`);
  const complete =
    end.ending === 'exited' &&
    end.exitCode === 0 &&
    result.messages > 0 &&
    isAnswered &&
    reading.error === undefined &&
    !reading.cut &&
    !end.stdoutTruncated &&
    isWhole &&
    !result.flags.includes('tc');
  result.notes = [...notes];
  const failure = failureOf(reading, end);
  return failure === undefined ? { result, complete } : { result, complete: false, failure };
}

const ANSWERS = ['NOERROR', 'NXDOMAIN', 'REFUSED'];
/** How a server says that it does not give a zone away. */
const TRANSFER_ANSWERS = [...ANSWERS, 'NOTAUTH', 'NOTIMP'];

/** Whether the server's status answers the question; SERVFAIL, FORMERR and the like only say that it could not. */
function hasAnswered({ status, answer }: DigResult, type: string): boolean {
  // dig shows no header of a transfer that succeeds.
  if (status === null) return type === 'AXFR' && answer.length > 0;
  return (type === 'AXFR' ? TRANSFER_ANSWERS : ANSWERS).includes(status);
}

/** RFC 5936: a whole transfer begins and ends with the same SOA record. A refusal is a whole answer too. */
function isWholeZone({ answer, status }: DigResult): boolean {
  if (answer.length === 0) return status !== null && status !== 'NOERROR';
  return answer.length > 1 && answer[0]?.type === 'SOA' && answer.at(-1)?.type === 'SOA';
}

function failureOf(reading: Reading, end: ToolEnd): string | undefined {
  if (end.ending !== 'exited') return undefined;
  if (end.exitCode === 9 || reading.error === 'unreachable') return 'The DNS server did not answer within 2 seconds.';
  if (end.exitCode !== 0) return `dig ended with exit code ${end.exitCode ?? 'none'}.`;
  if (reading.result.messages === 0) return 'dig received nothing that it could read as a DNS answer.';
  return undefined;
}

function cut(text: string | undefined, maxLength: number): string {
  return cleanText(text ?? '', maxLength);
}
