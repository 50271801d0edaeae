import { Type } from '@sinclair/typebox';
import fp from 'fastify-plugin';
import type { SecretStore } from '../src/core/auth/types.ts';
import type { Audit } from '../src/core/audit/types.ts';
import { SallyportError } from '../src/core/errors.ts';
import type { Log } from '../src/core/log.ts';

const ParamsSchema = Type.Object(
  { id: Type.String({ pattern: '^[A-Za-z0-9_-]{8,64}$' }) },
  { additionalProperties: false },
);
const SecretSchema = Type.Object(
  {
    id: Type.String(),
    runId: Type.String(),
    tool: Type.String(),
    kind: Type.String(),
    value: Type.String(),
    createdAt: Type.String({ format: 'date-time' }),
  },
  { additionalProperties: false },
);

/** Reads one found secret by the reference that a result shows. Only its owner may, and only with secrets:read. */
export default fp<{ secrets: SecretStore; audit: Pick<Audit, 'append'>; log: Log }>(
  async (app, { secrets, audit, log }) => {
    app.get<{ Params: { id: string } }>(
      '/v1/secrets/:id',
      {
        schema: {
          tags: ['runs'],
          summary: 'A found secret, by its reference.',
          params: ParamsSchema,
          response: { 200: SecretSchema },
        },
      },
      async (request) => {
        const secret = await secrets.read(request.params.id);
        // Somebody else's secret answers exactly as one that does not exist, so that ids cannot be probed.
        if (secret === undefined || secret.owner !== request.principal?.id) {
          throw new SallyportError('ERR_SECRET_UNKNOWN', 'There is no such secret.');
        }
        // Before it is shown: who read a password must be known afterwards.
        await audit.append({
          type: 'secret.read',
          principal: request.principal.id,
          runId: secret.runId,
          requestId: request.id,
          data: { secretId: secret.id, tool: secret.tool, kind: secret.kind },
        });
        log.info('secret.read', { requestId: request.id, secretId: secret.id, principal: request.principal.id });
        const { id, runId, tool, kind, value, createdAt } = secret;
        return { id, runId, tool, kind, value, createdAt: new Date(createdAt).toISOString() };
      },
    );
  },
  { name: 'secrets', dependencies: ['auth', 'principal-limit'] },
);
