import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import fp from 'fastify-plugin';

/** The OpenAPI 3.1 document of every route, and a page to read it. Nothing is loaded from elsewhere. */
export default fp<{ version: string }>(
  async (app, { version }) => {
    await app.register(swagger, {
      openapi: {
        openapi: '3.1.0',
        info: {
          title: 'Sallyport',
          version,
          description:
            'A guarded gateway between AI agents and network security tools. Errors have one body: code, message, requestId.',
        },
        components: {
          securitySchemes: {
            key: { type: 'http', scheme: 'bearer', description: 'An API key of `sallyport keys create`.' },
          },
        },
        security: [{ key: [] }],
        tags: [{ name: 'tools' }, { name: 'runs' }, { name: 'operations' }],
      },
      transform: ({ schema, url, route }) => {
        const documented = route.config?.documented;
        const shown =
          documented === undefined ? schema : { ...schema, body: documented.body, response: documented.response };
        return { schema: shown, url };
      },
    });
    app.get('/openapi.json', { schema: { hide: true } }, async () => app.swagger());
    await app.register(swaggerUi, {
      routePrefix: '/docs',
      uiConfig: { docExpansion: 'list', deepLinking: true },
      staticCSP: false,
    });
  },
  { name: 'docs', dependencies: ['auth', 'security-headers'] },
);
