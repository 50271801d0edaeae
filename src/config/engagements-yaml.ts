import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseAllDocuments,
  type Scalar,
  visit,
} from 'yaml';

/** A file as data, with the line of each part; or what is wrong, each with its line when it has one. */
export type ReadYaml =
  | { readonly document: unknown; readonly lineOf: (pointer: string) => number | undefined }
  | { readonly faults: readonly YamlFault[] };

/** One thing that is wrong with a file. No text of the file is in it. */
export interface YamlFault {
  readonly line?: number;
  readonly message: string;
}

/** Deeper than any engagement; a parser that recurses would run out of stack far below. */
const MAX_DEPTH = 16;

/** Reads one YAML 1.2 document strictly: no duplicate keys, no anchors, aliases or tags, no second document. */
export function readYaml(content: Buffer): ReadYaml {
  const lines = new LineCounter();
  const line = (offset: number | undefined) => (offset === undefined ? {} : { line: lines.linePos(offset).line });
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(content);
    const documents = parseAllDocuments(text, {
      lineCounter: lines,
      prettyErrors: false,
      strict: true,
      uniqueKeys: true,
      version: '1.2',
      schema: 'core',
      logLevel: 'silent',
    });
    const [document, second] = Array.isArray(documents) ? documents : [];
    if (document === undefined) return { faults: [{ message: 'the file is empty' }] };
    const faults: YamlFault[] = [
      ...[...document.errors, ...document.warnings].map(({ code, pos }) => ({
        ...line(pos[0]),
        // The parser's own message quotes the text at hand: of a file that was linked by mistake that may be a secret.
        message: `not valid YAML (${code})`,
      })),
      ...referencesIn(document).map(({ offset, message }) => ({ ...line(offset), message })),
      ...(second === undefined ? [] : [{ ...line(second.range[0]), message: 'more than one YAML document' }]),
    ];
    if (faults.length > 0) return { faults };
    if (!isMap(document.contents)) return { faults: [{ message: 'not a group of keys' }] };
    keepDigits(document);
    const root = document.contents;
    return { document: document.toJS({ maxAliasCount: 0 }) as unknown, lineOf: (at) => line(offsetOf(root, at)).line };
  } catch {
    return { faults: [{ message: 'not readable as YAML: UTF-8 text of sane depth is' }] };
  }
}

/** Aliases let a small file expand without bound ("billion laughs"); tags change the type of a value. */
function referencesIn(document: Document.Parsed): { readonly offset: number | undefined; readonly message: string }[] {
  const found: { offset: number | undefined; message: string }[] = [];
  visit(document, {
    Node: (_key, node, path) => {
      const offset = node.range?.[0];
      if (path.length > MAX_DEPTH * 2) {
        found.push({ offset, message: `nested deeper than ${MAX_DEPTH}` });
        return visit.BREAK;
      }
      if (isAlias(node)) found.push({ offset, message: 'an alias; write the value itself' });
      else if (node.anchor !== undefined) found.push({ offset, message: 'an anchor; write the value without it' });
      else if (node.tag !== undefined) found.push({ offset, message: 'a tag; write the plain value' });
      return undefined;
    },
  });
  return found;
}

/** `deny: [502]` is the natural spelling of ports: the digits are taken as they are written, as text. */
function keepDigits(document: Document.Parsed): void {
  for (const list of ['allow', 'deny']) {
    const ports = document.getIn(['ports', list], true);
    for (const item of isSeq(ports) ? ports.items : []) {
      const { source = '' } = (isScalar(item) ? item : {}) as Scalar & { source?: string };
      if (isScalar(item) && item.type === 'PLAIN' && /^\d+$/.test(source)) item.value = source;
    }
  }
}

/** Where a JSON Pointer leads; as far as it goes. */
function offsetOf(root: Node, pointer: string): number | undefined {
  let node: unknown = root;
  let offset = root.range?.[0];
  for (const segment of pointer.split('/').slice(1)) {
    const name = segment.replaceAll('~1', '/').replaceAll('~0', '~');
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === name);
      if (pair === undefined) return offset;
      offset = (pair.key as Node).range?.[0] ?? offset;
      node = pair.value;
    } else if (isSeq(node)) {
      node = node.items[Number(name)];
      offset = (node as Node | undefined)?.range?.[0] ?? offset;
    } else return offset;
  }
  return offset;
}
