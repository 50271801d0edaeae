import { type Static, Type } from '@sinclair/typebox';

/** States of a port as nmap words them, and `unknown` for anything else. */
export const PORT_STATES = [
  'open',
  'closed',
  'filtered',
  'unfiltered',
  'open|filtered',
  'closed|filtered',
  'unknown',
] as const;

const PortStateSchema = Type.Union(PORT_STATES.map((state) => Type.Literal(state)));
/** Stands in `notes` when the result holds not every text of the targets. */
export const TEXTS_LEFT_OUT = 'Texts from targets were left out for their size.';

/** Room for the words that say how much of a text was cut. */
const CUT_NOTE = 40;
const text = (maxLength: number, description: string) => Type.String({ maxLength: maxLength + CUT_NOTE, description });
const closed = { additionalProperties: false } as const;

const ScriptSchema = Type.Object(
  { id: text(100, 'Name of the script.'), output: text(4000, 'What it printed; comes from the target.') },
  closed,
);

const ServiceSchema = Type.Object(
  {
    name: text(100, 'Service name; a guess from the port number unless confidence is high.'),
    product: text(300, 'Program, when version detection found it.'),
    version: text(300, 'Its version.'),
    extraInfo: text(300, 'Further words about it.'),
    tunnel: text(20, '"ssl" when the service speaks through TLS.'),
    confidence: Type.Integer({ minimum: 0, maximum: 10, description: '3: from the port number; 10: it answered.' }),
  },
  closed,
);

const PortSchema = Type.Object(
  {
    port: Type.Integer({ minimum: 0, maximum: 65_535 }),
    protocol: Type.Union(['tcp', 'udp', 'sctp', 'ip'].map((name) => Type.Literal(name))),
    state: PortStateSchema,
    reason: text(50, 'What was seen: syn-ack, conn-refused, no-response, …'),
    service: Type.Union([ServiceSchema, Type.Null()]),
    scripts: Type.Array(ScriptSchema, { maxItems: 40 }),
  },
  closed,
);

const HostSchema = Type.Object(
  {
    address: text(45, 'IP address.'),
    names: Type.Array(text(253, 'A name of the input that was pinned to this address.'), { maxItems: 1024 }),
    mac: text(17, 'Hardware address, when it was seen.'),
    vendor: text(100, 'Maker by the hardware address.'),
    state: Type.Union(['up', 'down', 'unknown'].map((name) => Type.Literal(name))),
    reason: text(50, 'Why it counts as up or down.'),
    timedOut: Type.Boolean({ description: 'nmap gave this host up: what is listed is not everything' }),
    ports: Type.Array(PortSchema),
    otherPorts: Type.Array(Type.Object({ state: PortStateSchema, count: Type.Integer({ minimum: 0 }) }, closed), {
      maxItems: 20,
      description: 'Scanned ports that are not listed one by one.',
    }),
    os: Type.Array(
      Type.Object({ name: text(200, 'Guess.'), accuracy: Type.Integer({ minimum: 0, maximum: 100 }) }, closed),
      {
        maxItems: 10,
      },
    ),
    scripts: Type.Array(ScriptSchema, { maxItems: 40 }),
  },
  closed,
);

/** What an nmap run tells. */
export const NmapResultSchema = Type.Object(
  {
    hosts: Type.Array(HostSchema),
    stats: Type.Object(
      {
        hostsUp: Type.Integer({ minimum: 0 }),
        hostsDown: Type.Integer({ minimum: 0 }),
        hostsTotal: Type.Integer({ minimum: 0 }),
        openPorts: Type.Integer({ minimum: 0 }),
        elapsedS: Type.Number({ minimum: 0 }),
      },
      closed,
    ),
    notes: Type.Array(Type.String({ maxLength: 300 }), { description: 'What is missing or was cut, and why.' }),
  },
  closed,
);
export type NmapResult = Static<typeof NmapResultSchema>;
export type NmapHost = Static<typeof HostSchema>;
export type NmapPort = Static<typeof PortSchema>;
export type NmapScript = Static<typeof ScriptSchema>;
