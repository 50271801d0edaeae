import { type Static, Type } from '@sinclair/typebox';

const OPTIONAL = [
  Type.Literal('L1'),
  Type.Literal('L2'),
  Type.Literal('L3'),
  Type.Literal('L4'),
  Type.Literal('L5'),
  Type.Literal('raw'),
] as const;

/** A layer of confinement, from the process itself outwards; `raw` is the profile that hands on NET_RAW. */
export const LayerNameSchema = Type.Union([Type.Literal('L0'), ...OPTIONAL]);

/** A layer that the operator may switch off: all but the ground that the others stand on. */
export const OptionalLayerSchema = Type.Union([...OPTIONAL]);

/** A layer of confinement. */
export type LayerName = Static<typeof LayerNameSchema>;
