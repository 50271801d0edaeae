import { type Static, Type } from '@sinclair/typebox';

/** The one error body of every channel: REST answers it whole, MCP puts it into the failed result. */
export const ErrorBodySchema = Type.Object(
  {
    code: Type.String({ pattern: '^ERR_[A-Z_]+$', description: 'stable code; programs decide by this' }),
    message: Type.String({ description: 'for people: what is wrong and what to change' }),
    requestId: Type.String(),
    retryAfterMs: Type.Optional(Type.Integer({ minimum: 0, description: 'milliseconds to wait before trying again' })),
    details: Type.Optional(
      Type.Record(Type.String(), Type.Unknown(), { description: 'data that belongs to the code' }),
    ),
  },
  { additionalProperties: false, $id: 'Error' },
);
export type ErrorBody = Static<typeof ErrorBodySchema>;
