import type { TObject, TSchema } from '@sinclair/typebox';
import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type Pair,
  parseAllDocuments,
  type Scalar,
  visit,
  type YAMLMap,
} from 'yaml';
import { asSection, type ConfigFault, type Layer, nearest, type PlacedValue } from './keys.ts';
import { checkValue, itemOf, kindOf, type Read, readWord, rightFor } from './value.ts';
import { MAX_FILE_BYTES } from './regular-file.ts';

/** Largest configuration file, bytes. */

/** Reads the YAML file strictly: one document, no duplicate or unknown keys, no anchors, no tags, no conversions. */
export function fileLayer(schema: TObject, file: { readonly path: string; readonly content: Buffer }): Layer {
  const reader = new FileReader(file.path);
  if (file.content.length > MAX_FILE_BYTES) {
    reader.fault({ key: '', wrong: 'the file is too large', right: `at most ${MAX_FILE_BYTES} bytes` });
    return reader;
  }
  const root = reader.parse(file.content);
  if (root !== undefined) reader.section(schema, root, '');
  return reader;
}

class FileReader implements Layer {
  readonly values = new Map<string, PlacedValue>();
  readonly faults: ConfigFault[] = [];
  private readonly path: string;
  private readonly lines = new LineCounter();

  constructor(path: string) {
    this.path = path;
  }

  fault(fault: Omit<ConfigFault, 'from'>, offset?: number): void {
    this.faults.push({ ...fault, from: this.where(offset) });
  }

  where(offset: number | undefined): string {
    return offset === undefined ? this.path : `${this.path}:${this.lines.linePos(offset).line}`;
  }

  /** The root mapping, or undefined with at least one fault. */
  parse(content: Buffer): YAMLMap | undefined {
    const documents = this.documents(content);
    const document = documents?.[0];
    if (documents === undefined || document === undefined) return undefined;
    if (documents.length > 1) {
      this.fault({ key: '', wrong: 'more than one YAML document', right: 'one document' }, documents[1]?.range?.[0]);
    }
    for (const { code, pos } of [...document.errors, ...document.warnings]) {
      // The parser's own message quotes the text at hand, which may be a secret: only its code is shown.
      this.fault({ key: '', wrong: `not valid YAML (${code})`, right: REPAIRS[code] ?? 'valid YAML 1.2' }, pos[0]);
    }
    this.refuseReferences(document);
    // Duplicate keys leave the rest readable, so that every fault is told at once.
    if (document.errors.some(({ code }) => code !== 'DUPLICATE_KEY')) return undefined;
    if (isMap(document.contents)) return document.contents;
    // A file cut short by a full disk must not quietly become "all defaults".
    this.fault({ key: '', wrong: 'no settings in the file', right: 'keys and values, or {} for none' });
    return undefined;
  }

  private documents(content: Buffer): readonly Document.Parsed[] | undefined {
    try {
      const text = new TextDecoder('utf-8', { fatal: true }).decode(content);
      const documents = parseAllDocuments(text, {
        lineCounter: this.lines,
        prettyErrors: false,
        strict: true,
        uniqueKeys: true,
        version: '1.2',
        schema: 'core',
        logLevel: 'silent',
      });
      if (Array.isArray(documents) && documents.length > 0) return documents;
      this.fault({ key: '', wrong: 'the file is empty', right: 'keys and values, or {} for none' });
    } catch {
      // Not UTF-8, or nested so deeply that the parser ran out of stack: both are the file's fault.
      this.fault({ key: '', wrong: 'not readable as YAML', right: 'UTF-8 text with YAML 1.2 of sane depth' });
    }
    return undefined;
  }

  /** Anchors and aliases let a small file expand without bound ("billion laughs"); tags can change a value's type. */
  private refuseReferences(document: Document.Parsed): void {
    visit(document, {
      Node: (_key, node) => {
        const offset = node.range?.[0];
        if (isAlias(node)) this.fault({ key: '', wrong: 'an alias', right: 'the value itself' }, offset);
        else if (node.anchor !== undefined) this.fault({ key: '', wrong: 'an anchor', right: 'no anchor' }, offset);
        else if (node.tag !== undefined) this.fault({ key: '', wrong: 'a tag', right: 'the plain value' }, offset);
      },
    });
  }

  section(schema: TObject, map: YAMLMap, prefix: string): void {
    for (const pair of map.items as Pair<Node, Node | null>[]) {
      const name = isScalar(pair.key) ? String(pair.key.value) : '';
      const offset = pair.key.range?.[0];
      // Own properties only: `constructor` or `__proto__` in the file is an unknown key like any other.
      const child = Object.hasOwn(schema.properties, name) ? schema.properties[name] : undefined;
      if (child === undefined) this.unknown({ name, prefix, known: Object.keys(schema.properties) }, offset);
      else this.member(child, pair, `${prefix}${name}`);
    }
  }

  private unknown(
    key: { readonly name: string; readonly prefix: string; readonly known: readonly string[] },
    offset: number | undefined,
  ): void {
    // Names of keys are short words; a pasted key or password is not shown.
    const shown = /^[A-Za-z][A-Za-z0-9]{0,31}$/.test(key.name) ? `${key.prefix}${key.name}` : `${key.prefix}…`;
    const close = nearest(key.name, key.known);
    const right = close === undefined ? 'a key of docs/configuration.md' : `the name ${key.prefix}${close}`;
    this.fault({ key: shown, wrong: 'no such key', right }, offset);
  }

  private member(schema: TSchema, pair: Pair<Node, Node | null>, path: string): void {
    const offset = pair.key.range?.[0];
    const inner = asSection(schema);
    if (inner !== undefined) {
      if (isMap(pair.value)) this.section(inner, pair.value, `${path}.`);
      else this.fault({ key: path, wrong: 'not a group of keys', right: 'keys below it, or no such line' }, offset);
      return;
    }
    const read = readNode(schema, pair.value);
    const wrong = 'wrong' in read ? read.wrong : checkValue(schema, read.value);
    if (wrong !== undefined) this.fault({ key: path, wrong, right: rightFor(schema) }, offset);
    else if ('value' in read) this.values.set(path, { value: read.value, where: this.where(offset) });
  }
}

const REPAIRS: Readonly<Record<string, string>> = {
  DUPLICATE_KEY: 'each key once',
  TAB_AS_INDENT: 'spaces for indentation',
  BAD_INDENT: 'the same indentation for keys of one group',
  MULTILINE_IMPLICIT_KEY: 'a space after each colon',
};

function readNode(schema: TSchema, node: Node | null): Read {
  if (kindOf(schema) !== 'list') return readScalar(schema, node);
  if (!isSeq(node)) return { wrong: 'not a list' };
  const item = itemOf(schema);
  const entries = node.items.map((entry) => readScalar(item, entry as Node | null, true));
  const faults = entries.flatMap((entry, at) => ('wrong' in entry ? [`entry ${at + 1} is ${entry.wrong}`] : []));
  if (faults.length > 0) return { wrong: faults.join('; ') };
  return { value: entries.map((entry) => ('value' in entry ? entry.value : undefined)) };
}

function readScalar(schema: TSchema, node: Node | null, inList = false): Read {
  if (!isScalar(node)) return { wrong: node === null ? 'empty' : 'not a single value' };
  const isText = kindOf(schema) === 'text' || kindOf(schema) === 'choice';
  if (node.type !== 'PLAIN') return isText ? { value: node.value } : { wrong: 'text in quotes' };
  const source = (node as Scalar & { source?: string }).source ?? '';
  if (!isText) return readWord(schema, source);
  if (typeof node.value === 'string') return { value: node.value };
  // `denyPorts: [502]` is the natural spelling, and the digits are taken exactly as they are written.
  if (inList && /^\d+$/.test(source)) return { value: source };
  return { wrong: source === '' ? 'empty' : 'not text: put it in quotes' };
}
