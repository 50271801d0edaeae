import { Type } from '@sinclair/typebox';
import fp from 'fastify-plugin';
import type { WordlistCatalogue } from '../src/core/tool/wordlists.ts';

const ListSchema = Type.Object(
  {
    wordlists: Type.Array(
      Type.Object({ name: Type.String(), bytes: Type.Integer({ minimum: 0 }) }, { additionalProperties: false }),
    ),
  },
  { additionalProperties: false },
);

/** The names of the server's word lists. Paths are not shown and cannot be asked for. */
export default fp<{ wordlists: () => WordlistCatalogue }>(
  async (app, { wordlists }) => {
    app.get(
      '/v1/wordlists',
      { schema: { tags: ['tools'], summary: 'Word lists that tools take by name.', response: { 200: ListSchema } } },
      async () => ({ wordlists: [...(await wordlists().list())] }),
    );
  },
  { name: 'wordlists', dependencies: ['auth', 'principal-limit'] },
);
