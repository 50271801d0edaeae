import { once } from 'node:events';
import { Readable } from 'node:stream';
import { type Static, Type } from '@sinclair/typebox';
import fp from 'fastify-plugin';
import { AuditPageSchema } from '../schemas/audit.ts';
import { AuditExportQuerySchema, AuditKeySchema, AuditPageQuerySchema } from '../schemas/audit-query.ts';
import { ErrorBodySchema } from '../schemas/error.ts';
import { exportText } from '../src/core/audit/export.ts';
import { MAX_PAGE } from '../src/core/audit/page.ts';
import type { Audit } from '../src/core/audit/types.ts';
import { answers, serializeWhole } from '../src/core/rest/answers.ts';
import { integerOf, momentOf } from '../src/core/rest/query.ts';

/** Only for the OpenAPI document: a stream is not serialised. */
const FileSchema = {
  description: 'One JSON text in each line.',
  content: { 'application/jsonl': { schema: Type.Unknown() } },
};
const AFTER = { name: 'after', minimum: 0, maximum: 999_999_999_999_999 };
const LIMIT = { name: 'limit', minimum: 1, maximum: MAX_PAGE };

export interface AuditRoutesOptions {
  readonly audit: Pick<Audit, 'page' | 'lastSeq' | 'identity'>;
  readonly version: string;
}

/** The audit for whoever holds `audit:read`: records of all principals, an export for a SIEM, and the public key. */
export default fp<AuditRoutesOptions>(
  async (app, { audit, version }) => {
    app.get<{ Querystring: Static<typeof AuditPageQuerySchema> }>(
      '/v1/audit',
      {
        serializerCompiler: serializeWhole,
        schema: { ...about('Records, oldest first.'), querystring: AuditPageQuerySchema, ...answers(AuditPageSchema) },
      },
      async (request) => {
        const { after, limit, ...same } = request.query;
        return audit.page({ ...same, after: integerOf(after, AFTER), limit: integerOf(limit, LIMIT) });
      },
    );
    app.get<{ Querystring: Static<typeof AuditExportQuerySchema> }>(
      '/v1/audit/export',
      {
        // HEAD would read every record to send none.
        exposeHeadRoute: false,
        schema: {
          ...about('Every record, or those since a moment, as a file.'),
          querystring: AuditExportQuerySchema,
          response: { 200: FileSchema, default: ErrorBodySchema },
        },
      },
      async (request, reply) => {
        const { format, since } = request.query;
        const moment = momentOf(since, 'since');
        const from = moment === undefined ? undefined : Date.parse(moment);
        const stream = Readable.from(exportText(audit, { format, since: from, version }));
        // The first part is there before a header is sent: a store that cannot be read is an error, not a broken file.
        await once(stream, 'readable');
        reply.type('application/jsonl; charset=utf-8');
        reply.header('content-disposition', `attachment; filename="audit-${format}.jsonl"`);
        return reply.send(stream);
      },
    );
    app.get(
      '/v1/audit/key',
      { schema: { ...about('The public key of the checkpoints.'), ...answers(AuditKeySchema) } },
      async () => audit.identity(),
    );
  },
  { name: 'audit', dependencies: ['auth', 'principal-limit'] },
);

function about(summary: string) {
  return { tags: ['audit'], summary };
}
