import ipaddr from 'ipaddr.js';

/** The question of a DNS query (RFC 1035), with what an answer must repeat. */
export interface Question {
  readonly id: number;
  readonly name: string;
  readonly type: number;
  /** The bytes of the question section. */
  readonly section: Buffer;
}

/** One record of an answer. The owner is the asked name unless it is given. */
export interface Answer {
  readonly type: 'A' | 'AAAA' | 'CNAME' | 'TXT';
  readonly value: string;
  readonly owner?: string;
}

const TYPES = { A: 1, CNAME: 5, TXT: 16, AAAA: 28 } as const;

/** Reads a query; undefined when it is none that can be answered. */
export function readQuestion(message: Buffer): Question | undefined {
  if (message.length < 17 || message.readUInt16BE(4) !== 1) return undefined;
  const labels: string[] = [];
  let at = 12;
  for (let length = message[at] ?? 0; length > 0; length = message[at] ?? 0) {
    if (length > 63 || at + length + 5 > message.length) return undefined;
    labels.push(message.toString('latin1', at + 1, at + 1 + length));
    at += length + 1;
  }
  return {
    id: message.readUInt16BE(0),
    name: labels.join('.').toLowerCase(),
    type: message.readUInt16BE(at + 1),
    section: message.subarray(12, at + 5),
  };
}

/** The name of a query's type; `TYPE99` when it has none here. */
export function typeName(type: number): string {
  return Object.entries(TYPES).find(([, number]) => number === type)?.[0] ?? `TYPE${type}`;
}

/** Writes an authoritative answer with a time to live of 0, so that nobody may keep it. */
export function writeAnswer(question: Question, answers: readonly Answer[]): Buffer {
  const header = Buffer.alloc(12);
  header.writeUInt16BE(question.id, 0);
  header.writeUInt16BE(0x8580, 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(answers.length, 6);
  return Buffer.concat([header, question.section, ...answers.map(writeRecord)]);
}

function writeRecord(answer: Answer): Buffer {
  const owner = answer.owner === undefined ? Buffer.from([0xc0, 12]) : writeName(answer.owner);
  const data = writeData(answer);
  const fixed = Buffer.alloc(10);
  fixed.writeUInt16BE(TYPES[answer.type], 0);
  fixed.writeUInt16BE(1, 2);
  fixed.writeUInt16BE(data.length, 8);
  return Buffer.concat([owner, fixed, data]);
}

function writeData({ type, value }: Answer): Buffer {
  if (type === 'CNAME') return writeName(value);
  if (type !== 'TXT') return Buffer.from(ipaddr.parse(value).toByteArray());
  const text = Buffer.from(value);
  const chunks: Buffer[] = [];
  for (let at = 0; at < text.length; at += 255) {
    const chunk = text.subarray(at, at + 255);
    chunks.push(Buffer.from([chunk.length]), chunk);
  }
  return Buffer.concat(chunks);
}

function writeName(name: string): Buffer {
  const labels = name.split('.').map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label)]));
  return Buffer.concat([...labels, Buffer.from([0])]);
}
