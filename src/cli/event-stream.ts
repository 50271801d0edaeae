/** One event of a stream, with its fields as they came. */
export interface ServerEvent {
  readonly id?: string;
  readonly type: string;
  readonly data: string;
}

/** Longest line and longest event, UTF-16 units; a gateway's are far below. */
const MAX_LENGTH = 1_048_576;
/** An id goes into a header field of the next request: anything else would be refused there. */
const ID = /^[\x21-\x7e]{1,512}$/;

/**
 * Reads Server-Sent Events (WHATWG HTML section 9.2.6) as their bytes come. What is not ended by an empty line is no
 * event. Rejects for a line or an event that no gateway sends: an endless one would fill the memory.
 */
export async function* readEvents(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<ServerEvent> {
  const decoder = new TextDecoder('utf-8');
  let rest = '';
  let open: OpenEvent = { data: [], length: 0 };
  for await (const chunk of chunks) {
    // A carriage return at the end may be the first half of a line end.
    const lines = (rest + decoder.decode(chunk, { stream: true })).split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop() ?? '';
    for (const line of lines) {
      if (line === '') {
        if (open.data.length > 0) yield closed(open);
        open = { data: [], length: 0 };
      } else {
        readField(open, line);
      }
    }
    if (rest.length > MAX_LENGTH || open.length > MAX_LENGTH) throw new Error('an event is too large for a gateway');
  }
}

interface OpenEvent {
  id?: string;
  type?: string;
  readonly data: string[];
  length: number;
}

function readField(event: OpenEvent, line: string): void {
  event.length += line.length;
  const colon = line.indexOf(':');
  const name = colon < 0 ? line : line.slice(0, colon);
  const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
  if (name === 'data') event.data.push(value);
  else if (name === 'event') event.type = value;
  else if (name === 'id' && ID.test(value)) event.id = value;
}

function closed({ id, type = 'message', data }: OpenEvent): ServerEvent {
  return { ...(id === undefined ? {} : { id }), type, data: data.join('\n') };
}
