import { StringDecoder } from 'node:string_decoder';
import { SaxesParser } from 'saxes';

/** One opened element; attribute values are what the document said, entities replaced. */
export interface XmlElement {
  readonly name: string;
  /** The value of an attribute, or '' when it is absent. */
  attribute(name: string): string;
}

/** Who is told of elements, in document order. */
export interface XmlHandler {
  open(element: XmlElement): void;
  close(name: string): void;
}

/** Takes the document in pieces. */
export interface XmlReader {
  push(chunk: Buffer): void;
  /** True while everything read so far was well formed and within the bounds. */
  readonly sound: boolean;
}

const PIECE_BYTES = 65_536;
const MAX_SILENT_PIECES = 16;
const MAX_DEPTH = 64;
const MAX_HARMLESS = 100;
// Program output may quote characters that XML 1.0 has no place for: the text suffers, the structure does not.
const HARMLESS = /disallowed character|malformed character entity/;

/**
 * Reads XML as a stream and never throws. It stops, for good, at the first break of form, at an element that does not
 * end within a mebibyte and at nesting deeper than 64. Declared entities are never expanded and nothing is fetched
 * (XXE, CWE-611; entity expansion, CWE-776); text between elements is not kept.
 */
export function createXmlReader(handler: XmlHandler): XmlReader {
  const parser = new SaxesParser({ xmlns: false, position: false });
  const decoder = new StringDecoder('utf8');
  let sound = true;
  let depth = 0;
  let offset = 0;
  let heardAt = 0;
  let harmless = 0;

  const place = (): number => Math.floor(offset / PIECE_BYTES);

  parser.on('error', (error) => {
    // Thrown, so that the rest of the piece is not read either: a fault at every byte would cost seconds (CWE-400).
    harmless += 1;
    if (harmless > MAX_HARMLESS || !HARMLESS.test(error.message)) throw error;
  });
  parser.on('opentag', (tag) => {
    heardAt = place();
    depth += 1;
    if (depth > MAX_DEPTH) throw new Error('nested too deeply');
    const attributes = tag.attributes as Record<string, string>;
    const attribute = (name: string): string => (Object.hasOwn(attributes, name) ? (attributes[name] ?? '') : '');
    handler.open({ name: tag.name, attribute });
  });
  parser.on('closetag', (tag) => {
    heardAt = place();
    depth -= 1;
    handler.close(tag.name);
  });

  const write = (piece: Buffer): void => {
    if (!sound) return;
    // Inside one element the parser holds everything: a banner of 100 MB must not become our memory (CWE-400).
    if (place() - heardAt > MAX_SILENT_PIECES) {
      sound = false;
      return;
    }
    try {
      parser.write(decoder.write(piece));
    } catch {
      // Whatever was thrown over these bytes says the same: they are not well formed. Nothing is read after it.
      sound = false;
    }
  };
  return {
    push: (chunk) => {
      for (const piece of piecesFrom(offset, chunk)) {
        write(piece);
        offset += piece.length;
      }
    },
    get sound() {
      return sound;
    },
  };
}

/** Pieces end at fixed places of the document, so that what is read does not depend on how its bytes arrived. */
function* piecesFrom(offset: number, chunk: Buffer): Generator<Buffer> {
  let end = PIECE_BYTES - (offset % PIECE_BYTES);
  for (let at = 0; at < chunk.length; at = end, end += PIECE_BYTES) yield chunk.subarray(at, end);
}
