/**
 * The hostile services of the lab, one process in the target's namespace: a name server that lies, and banners
 * that try to reach whoever reads them. It writes one line for each DNS query to standard output.
 */
import { createSocket, type RemoteInfo } from 'node:dgram';
import { createServer, type Socket } from 'node:net';
import { type Answer, type Question, readQuestion, typeName, writeAnswer } from './dns-message.ts';
import { ATTACKER, HOSTILE, INJECTION, METADATA, OUTSIDE, PORTS, SECOND, SIX, TARGET } from './layout.ts';

const A = (value: string): Answer => ({ type: 'A', value });
const AAAA = (value: string): Answer => ({ type: 'AAAA', value });

/** RFC 863; nobody listens there. */
const DISCARD_PORT = 9;
const ZONE = 'hostile.test';
/** Fixed answers below `hostile.test`. */
const RECORDS: Readonly<Record<string, readonly Answer[]>> = {
  inside: [A(TARGET)],
  outside: [A(OUTSIDE)],
  mixed: [A(TARGET), A(OUTSIDE)],
  families: [A(TARGET), AAAA(SIX.outside)],
  mapped: [AAAA(`::ffff:${OUTSIDE}`)],
  translated: [AAAA('64:ff9b::a58:a')],
  loopback: [A('127.0.0.1')],
  metadata: [A(METADATA)],
  unspecified: [A('0.0.0.0')],
  alias: [
    { type: 'CNAME', value: `outside.${ZONE}` },
    { ...A(OUTSIDE), owner: `outside.${ZONE}` },
  ],
  circle: [{ type: 'CNAME', value: `circle.${ZONE}` }],
  text: [
    { type: 'TXT', value: `\u001b]0;owned\u0007\u001b[2J${INJECTION}` },
    { type: 'TXT', value: 'x'.repeat(3000) },
  ],
};

const flips = new Map<string, number>();

function answersOf(question: Question): readonly Answer[] {
  const { name } = question;
  const type = typeName(question.type);
  if (name.endsWith('.flip.test')) return type === 'A' ? [flip(name)] : [];
  if (name.endsWith(`.${ZONE}`)) {
    const records = RECORDS[name.slice(0, -ZONE.length - 1)] ?? [];
    return records.filter((record) => record.type === type || record.type === 'CNAME' || record.owner !== undefined);
  }
  return type === 'A' ? [A(OUTSIDE)] : [];
}

// DNS rebinding: the first answer passes every check, all later ones lead out of the scope.
function flip(name: string): Answer {
  const asked = flips.get(name) ?? 0;
  flips.set(name, asked + 1);
  return A(asked === 0 ? TARGET : OUTSIDE);
}

function answer(message: Buffer, from: { protocol: string; address: string }): Buffer | undefined {
  const question = readQuestion(message);
  if (question === undefined) return undefined;
  const answers = answersOf(question);
  const values = answers.map((record) => record.value.slice(0, 40).replaceAll(/[^\w.:-]/g, '?')).join(' ');
  process.stdout.write(
    `${from.protocol} ${from.address} ${typeName(question.type)} ${JSON.stringify(question.name)} -> ${values}\n`,
  );
  return writeAnswer(question, answers);
}

function serveDns(address: string, port: number): void {
  const udp = createSocket('udp4');
  udp.on('message', (message: Buffer, peer: RemoteInfo) => {
    const reply = answer(message, { protocol: 'udp', address: peer.address });
    // A datagram of 3000 bytes would need EDNS; the flag "truncated" sends the client to TCP.
    if (reply !== undefined) udp.send(reply.length > 1232 ? truncated(reply) : reply, peer.port, peer.address);
  });
  udp.bind(port, address);
  serveTcp(address, port, (socket) => {
    socket.on('data', (data) => {
      const reply = answer(data.subarray(2), { protocol: 'tcp', address: socket.remoteAddress ?? '' });
      if (reply === undefined) return socket.destroy();
      const length = Buffer.alloc(2);
      length.writeUInt16BE(reply.length);
      return socket.end(Buffer.concat([length, reply]));
    });
  });
}

function truncated(reply: Buffer): Buffer {
  const short = Buffer.from(reply.subarray(0, 12));
  short.writeUInt16BE(short.readUInt16BE(2) | 0x0200, 2);
  short.writeUInt16BE(0, 6);
  const question = readQuestion(Buffer.concat([reply.subarray(0, 12), reply.subarray(12)]));
  return Buffer.concat([short, question?.section ?? Buffer.alloc(0)]);
}

function serveTcp(address: string, port: number, serve: (socket: Socket) => void): void {
  createServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.setTimeout(5000, () => socket.destroy());
    serve(socket);
  }).listen(port, address);
}

// masscan 1.3.2 looks at the time only when a packet comes: on a cable as quiet as this it would wait for minutes.
function keepCableAwake(): void {
  const socket = createSocket('udp4');
  setInterval(() => socket.send('', DISCARD_PORT, ATTACKER), 250);
}

serveDns(SECOND, HOSTILE.dns);
serveDns(OUTSIDE, PORTS.dns);
serveTcp(OUTSIDE, PORTS.ssh, (socket) => socket.end('SSH-2.0-OpenSSH_outside\r\n'));
serveTcp(OUTSIDE, PORTS.ftp, (socket) => socket.end('220 outside\r\n'));
serveTcp(SECOND, HOSTILE.escapes, (socket) =>
  socket.end(`220 \u001b]0;owned\u0007\u001b[2J\u001b[31m${INJECTION}\u001b[0m\u0000\u0085\u202e ready\r\n`),
);
serveTcp(SECOND, HOSTILE.huge, (socket) => {
  socket.write(`220 ${'A'.repeat(4_194_304)}\r\n`);
});
keepCableAwake();
