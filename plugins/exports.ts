import { once } from 'node:events';
import { Readable } from 'node:stream';
import { type Static, Type } from '@sinclair/typebox';
import fp from 'fastify-plugin';
import { ErrorBodySchema } from '../schemas/error.ts';
import { runCallOf } from '../src/core/rest/run-request.ts';
import type { RunHistory } from '../src/core/run/types.ts';
import { EXPORT_FORMATS, exportFileName, exportText, mediaTypeOf } from '../src/exports/formats.ts';

const QuerySchema = Type.Object(
  { format: Type.Union(EXPORT_FORMATS.map((format) => Type.Literal(format))) },
  { additionalProperties: false },
);
/** Only for the OpenAPI document: a stream is not serialised. */
const FileSchema = {
  description: 'The export; text of targets in it is untrusted.',
  content: Object.fromEntries(
    EXPORT_FORMATS.map((format) => [mediaTypeOf(format).split(';')[0] ?? '', { schema: Type.Unknown() }]),
  ),
};

/** A run with its findings as a file: data formats for trackers, and reports for people. */
export default fp<{ history: RunHistory }>(
  async (app, { history }) => {
    app.get<{ Params: { id: string }; Querystring: Static<typeof QuerySchema> }>(
      '/v1/runs/:id/export',
      {
        // HEAD would read every finding to send none.
        exposeHeadRoute: false,
        schema: {
          tags: ['runs'],
          summary: 'A run with its findings as a file.',
          querystring: QuerySchema,
          response: { 200: FileSchema, default: ErrorBodySchema },
        },
      },
      async (request, reply) => {
        const { format } = request.query;
        const source = await history.exportSource(...runCallOf(request));
        const name = exportFileName(format, source.run);
        const stream = Readable.from(exportText(format, source));
        // The first part is there before a header is sent: a store that cannot be read is an error, not a broken file.
        await once(stream, 'readable');
        reply.type(mediaTypeOf(format));
        // Never shown in our own origin, whatever a target put into it.
        reply.header('content-disposition', `attachment; filename="${name}"`);
        reply.header('x-content-type-options', 'nosniff');
        return reply.send(stream);
      },
    );
  },
  { name: 'exports', dependencies: ['auth', 'principal-limit'] },
);
