import type { TSchema } from '@sinclair/typebox';
import * as fc from 'fast-check';

/** Values that mean something to one field or another; each is tried wherever a schema accepts it. */
const KNOWN = [
  '10.77.0.10',
  '10.77.0.11',
  '10.77.0.0/28',
  '10.20.0.0/24',
  'fd00::1',
  '192.168.1.1',
  'web.lab.internal',
  'db.lab.internal',
  '_ldap._tcp.lab.internal',
  'lab.internal',
  '10.77.0.10:5353',
  '80',
  '22,80,8000-8010',
  'top100',
  'all',
  '1-65535',
  '/',
  '/admin/?id=1',
  '/login.php',
  'dirb/common.txt',
  'id',
  'id=1&name=x',
  'php',
  'admin',
  'user:pass\\word',
  'F=failed',
  'x',
];

/**
 * Values that a schema accepts, for the part of JSON Schema that tools use. Strings come mostly from those of `KNOWN`
 * that the schema accepts, the rest from its pattern. Throws for a schema that it does not know.
 */
export function arbitraryOf(schema: TSchema): fc.Arbitrary<unknown> {
  if (Array.isArray(schema['anyOf'])) return fc.oneof(...(schema['anyOf'] as TSchema[]).map(arbitraryOf));
  if (Array.isArray(schema['enum'])) return fc.constantFrom(...(schema['enum'] as unknown[]));
  if (schema['const'] !== undefined) return fc.constant(schema['const']);
  const make = MAKERS[String(schema['type'])];
  if (make === undefined) throw new Error(`no arbitrary for ${JSON.stringify(schema)}`);
  return make(schema);
}

const MAKERS: Readonly<Record<string, (schema: TSchema) => fc.Arbitrary<unknown>>> = {
  boolean: () => fc.boolean(),
  null: () => fc.constant(null),
  integer: (schema) => fc.integer({ min: schema['minimum'] as number, max: schema['maximum'] as number }),
  number: (schema) => fc.double({ min: schema['minimum'] as number, max: schema['maximum'] as number, noNaN: true }),
  string: stringArbitrary,
  array: (schema) => {
    const options = {
      minLength: numberOf(schema, 'minItems', 0),
      maxLength: Math.min(numberOf(schema, 'maxItems', 5), 5),
    };
    const items = arbitraryOf(schema['items'] as TSchema);
    return schema['uniqueItems'] === true
      ? fc.uniqueArray(items, { ...options, selector: JSON.stringify })
      : fc.array(items, options);
  },
  object: (schema) => {
    const properties = Object.entries((schema['properties'] ?? {}) as Record<string, TSchema>);
    const required = (schema['required'] ?? []) as string[];
    const record = Object.fromEntries(properties.map(([name, property]) => [name, arbitraryOf(property)]));
    return fc.record(record, { requiredKeys: required, noNullPrototype: true });
  },
};

function stringArbitrary(schema: TSchema): fc.Arbitrary<string> {
  const accepts = (text: string): boolean => acceptsString(schema, text);
  const known = KNOWN.filter(accepts);
  const pattern = schema['pattern'] as string | undefined;
  const maxLength = Math.min(numberOf(schema, 'maxLength', 64), 64);
  // fast-check cannot make strings for a look-ahead: it is left out there and asked for by the filter.
  const shape = new RegExp((pattern ?? '').replaceAll(/\(\?[=!][^)]*\)/g, ''), 'u');
  const free = (pattern === undefined ? fc.string({ maxLength }) : fc.stringMatching(shape)).filter(accepts);
  return known.length === 0
    ? free
    : fc.oneof({ weight: 3, arbitrary: fc.constantFrom(...known) }, { weight: 1, arbitrary: free });
}

/** Whether a string schema accepts a text, read without Ajv. */
export function acceptsString(schema: TSchema, text: string): boolean {
  if (Array.isArray(schema['enum'])) return (schema['enum'] as unknown[]).includes(text);
  const pattern = schema['pattern'] as string | undefined;
  const length = Array.from(text).length;
  return (
    length >= numberOf(schema, 'minLength', 0) &&
    length <= numberOf(schema, 'maxLength', Number.MAX_SAFE_INTEGER) &&
    (pattern === undefined || new RegExp(pattern, 'u').test(text))
  );
}

/** Every schema inside a schema, with the path to it; the schema itself first. */
export function walkSchema(schema: TSchema, path = ''): { path: string; schema: TSchema; isProperty: boolean }[] {
  const properties = Object.entries((schema['properties'] ?? {}) as Record<string, TSchema>);
  const branches = ['anyOf', 'allOf', 'oneOf'].flatMap((key) => (schema[key] ?? []) as TSchema[]);
  const items = schema['items'] === undefined ? [] : [schema['items'] as TSchema];
  return [
    { path, schema, isProperty: false },
    ...properties.flatMap(([name, property]) => {
      const [first, ...rest] = walkSchema(property, `${path}/${name}`);
      return [...(first === undefined ? [] : [{ ...first, isProperty: true }]), ...rest];
    }),
    ...branches.flatMap((branch) => walkSchema(branch, path)),
    ...items.flatMap((item) => walkSchema(item, `${path}/*`)),
  ];
}

function numberOf(schema: TSchema, key: string, byDefault: number): number {
  return typeof schema[key] === 'number' ? schema[key] : byDefault;
}
