import fp from 'fastify-plugin';
import { type ScopeView, ScopeViewSchema } from '../schemas/scope-view.ts';
import type { Principal } from '../src/core/auth/types.ts';
import { answers } from '../src/core/rest/answers.ts';
import { callerOf } from '../src/core/rest/run-request.ts';

export interface ScopeRoutesOptions {
  readonly scopeOf: (who: Principal) => ScopeView;
}

/** What the caller may do now. */
export default fp<ScopeRoutesOptions>(
  async (app, { scopeOf }) => {
    app.get(
      '/v1/scope',
      {
        schema: {
          tags: ['engagements'],
          summary: 'What the caller may do now: engagements, tools, ceilings, what is left of budgets.',
          ...answers(ScopeViewSchema),
        },
      },
      async (request) => scopeOf(callerOf(request)),
    );
  },
  { name: 'scope', dependencies: ['auth', 'principal-limit'] },
);
