import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';
import { errorBody, SallyportError, toSallyportError } from '../src/core/errors.ts';
import type { Log } from '../src/core/log.ts';
import type { Redactor } from '../src/core/redaction/redactor.ts';

export interface ErrorsOptions {
  readonly log: Log;
  /** A message may quote what the caller sent, and that may be a key. */
  readonly redactor: Pick<Redactor, 'redactValue'>;
}

/** The one place where an error becomes an HTTP answer. Third parties' errors are taught our codes here. */
export default fp<ErrorsOptions>(
  async (app, { log, redactor }) => {
    const send = (reply: FastifyReply, error: SallyportError) => render(reply, error, redactor);
    app.setErrorHandler<FastifyError | Error>((thrown, request, reply) => {
      const error = translate(thrown);
      if (error.status >= 500)
        log.error('request.failed', { requestId: request.id, code: error.code, cause: error.cause });
      return send(reply, error);
    });

    app.setNotFoundHandler((request, reply) => {
      const allowed = (['GET', 'POST', 'DELETE'] as const).filter(
        (method) => app.findRoute({ method, url: request.url.split('?')[0] ?? '' }) !== null,
      );
      if (allowed.length === 0) {
        return send(
          reply,
          new SallyportError('ERR_ROUTE_UNKNOWN', 'There is no such route; /openapi.json lists them.'),
        );
      }
      reply.header('allow', allowed.join(', '));
      return send(reply, new SallyportError('ERR_METHOD_UNSUPPORTED', `Use ${allowed.join(' or ')} here.`));
    });
  },
  { name: 'errors', dependencies: ['request-context'] },
);

function render(reply: FastifyReply, error: SallyportError, redactor: ErrorsOptions['redactor']): FastifyReply {
  if (error.code === 'ERR_AUTH_REQUIRED') reply.header('www-authenticate', challenge(reply.request));
  if (error.retryAfterMs !== undefined) reply.header('retry-after', Math.max(1, Math.ceil(error.retryAfterMs / 1000)));
  const body = redactor.redactValue(errorBody(error, reply.request.id));
  return reply.code(error.status).type('application/json; charset=utf-8').send(body);
}

/** RFC 6750 section 3; pages that a person opens in a browser ask for Basic so that the browser shows its prompt. */
function challenge(request: FastifyRequest): string {
  return /^\/(docs|openapi)/.test(request.url) ? 'Basic realm="sallyport"' : 'Bearer realm="sallyport"';
}

function translate(thrown: FastifyError | Error): SallyportError {
  if (thrown instanceof SallyportError) return thrown;
  const { code, validation, statusCode } = thrown as FastifyError;
  if (validation !== undefined) {
    const faults = validation.map((fault) => ({ path: fault.instancePath, message: fault.message ?? 'is invalid' }));
    return new SallyportError('ERR_INPUT_INVALID', 'The request does not fit its schema; details.faults says where.', {
      details: { faults },
    });
  }
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE')
    return new SallyportError('ERR_BODY_TOO_LARGE', 'The body is larger than bodyLimitBytes.');
  if (code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE')
    return new SallyportError('ERR_MEDIA_TYPE_UNSUPPORTED', 'Send application/json.');
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) {
    return new SallyportError('ERR_INPUT_INVALID', 'The request could not be read: send one JSON document in UTF-8.');
  }
  return toSallyportError(thrown);
}
