import fp from 'fastify-plugin';

/** Limits what one principal may ask, whatever addresses it comes from. Stands after auth in the request's way. */
export default fp(
  async (app) => {
    app.addHook('onRequest', (request) => app.countPrincipal(request));
  },
  { name: 'principal-limit', dependencies: ['auth', 'rate-limit'] },
);
