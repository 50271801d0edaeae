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
        tags: [{ name: 'tools' }, { name: 'runs' }, { name: 'findings' }, { name: 'operations' }],
      },
      transform: ({ schema, url, route }) => {
        // MCP describes itself, and metrics are not JSON.
        if (url === '/mcp' || url === '/metrics') return { schema: { ...schema, hide: true }, url };
        const documented = route.config?.documented;
        const shown =
          documented === undefined ? schema : { ...schema, body: documented.body, response: documented.response };
        return { schema: shown, url };
      },
    });
    app.get('/openapi.json', { schema: { hide: true } }, async () => app.swagger());
    await app.register(swaggerUi, {
      routePrefix: '/docs',
      // Without the bar that loads documents from other addresses.
      uiConfig: { docExpansion: 'list', deepLinking: true, layout: 'BaseLayout' },
      staticCSP: false,
    });
  },
  { name: 'docs', dependencies: ['auth', 'security-headers'] },
);
