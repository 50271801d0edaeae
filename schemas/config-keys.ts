import { type TSchema, Type } from '@sinclair/typebox';

/** A whole number in a range, with its unit. */
export const integer = (
  description: string,
  range: { default: number; minimum: number; maximum: number; unit: string },
) =>
  Type.Integer({
    description,
    default: range.default,
    minimum: range.minimum,
    maximum: range.maximum,
    unit: range.unit,
  });
/** True or false. */
export const flag = (description: string, byDefault: boolean) => Type.Boolean({ description, default: byDefault });
/** Text that may be empty only where empty has a meaning, which is where the default is empty. */
export const text = (description: string, byDefault: string) =>
  Type.String({ description, default: byDefault, minLength: byDefault === '' ? 0 : 1, maxLength: 4096 });
/** A list of texts. */
export const list = (description: string, byDefault: string[]) =>
  Type.Array(Type.String({ minLength: 1, maxLength: 512 }), { description, default: byDefault, maxItems: 1024 });

/** A closed group of keys. */
export const section = <P extends Record<string, TSchema>>(description: string, properties: P) =>
  Type.Object(properties, { description, additionalProperties: false });
/** Marks keys that a running gateway cannot change: a reload reports them instead of ignoring them. */
export const atStart = <S extends TSchema>(schema: S): S => ({ ...schema, restart: true });
/** The same for every key of a group. */
export const allAtStart = <P extends Record<string, TSchema>>(properties: P): P =>
  Object.fromEntries(Object.entries(properties).map(([name, schema]) => [name, atStart(schema)])) as P;
