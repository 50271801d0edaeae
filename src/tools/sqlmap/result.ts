import { type Static, Type } from '@sinclair/typebox';

const closed = { additionalProperties: false };

/** What sqlmap found out about one parameter. */
export const SqlmapResultSchema = Type.Object(
  {
    injectable: Type.Union([Type.Boolean(), Type.Null()], {
      description: 'true, false: tested; null: could not be tested to the end, nothing is known.',
    }),
    parameter: Type.Optional(Type.String()),
    place: Type.Optional(Type.String({ description: 'GET or POST.' })),
    techniques: Type.Array(Type.Object({ type: Type.String(), title: Type.String(), payload: Type.String() }, closed)),
    dbms: Type.Optional(Type.String()),
    technology: Type.Optional(Type.String({ description: 'Of the web application, as far as sqlmap recognised it.' })),
    banner: Type.Optional(Type.String()),
    currentUser: Type.Optional(Type.String()),
    currentDb: Type.Optional(Type.String()),
    databases: Type.Array(Type.String()),
    tables: Type.Array(Type.Object({ database: Type.String(), name: Type.String() }, closed)),
    columns: Type.Array(
      Type.Object(
        { database: Type.String(), table: Type.String(), name: Type.String(), type: Type.Optional(Type.String()) },
        closed,
      ),
    ),
    unsupported: Type.Boolean({ description: 'The database system has no such thing as the action asks for.' }),
  },
  closed,
);
export type SqlmapResult = Static<typeof SqlmapResultSchema>;
