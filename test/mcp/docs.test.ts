import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { messagesOf, post } from '../fixtures/mcp/clients.ts';
import { startTestGateway } from '../fixtures/mcp/gateway.ts';

const TEXT = readFileSync(new URL('../../docs/mcp.md', import.meta.url), 'utf8');
const blocks = (language: string) =>
  [...TEXT.matchAll(new RegExp(`\`\`\`${language}\n(.*?)\`\`\``, 'gs'))].map((match) => match[1] ?? '');

test('every curl line of the documentation is answered', async (t) => {
  const { url } = await startTestGateway(t);
  const commands = blocks('sh');
  assert.equal(commands.length, 2);
  for (const command of commands) {
    const headers = Object.fromEntries(
      [...command.matchAll(/-H ['"]([^:]+): ([^'"]+)['"]/g)].map(([, name = '', value = '']) => [name, value]),
    );
    const body = /-d '(.*)'/.exec(command)?.[1] ?? '';
    const response = await post(url, body, { ...headers, Authorization: 'Bearer alice' });
    assert.equal(response.status, 200);
    assert.ok('result' in ((await messagesOf(response)).at(-1) ?? {}));
  }
});

test('the client configuration of the documentation is JSON and names the route', () => {
  const [first = ''] = blocks('json');
  const { mcpServers } = JSON.parse(first) as { mcpServers: { sallyport: { url: string } } };
  assert.equal(new URL(mcpServers.sallyport.url).pathname, '/mcp');
});
