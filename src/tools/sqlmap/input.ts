import { type Static, Type } from '@sinclair/typebox';
import { UrlPartsSchema } from '../../../schemas/target.ts';

/** What to do once a parameter is injectable, and sqlmap's option for it. Dumping rows is not among them. */
export const ACTIONS = {
  detect: undefined,
  banner: '--banner',
  currentUser: '--current-user',
  currentDb: '--current-db',
  dbs: '--dbs',
  tables: '--tables',
  columns: '--columns',
} as const;
export type SqlmapAction = keyof typeof ACTIONS;

/** One call of sqlmap. */
export const SqlmapInputSchema = Type.Object(
  {
    url: UrlPartsSchema,
    param: Type.String({
      pattern: '^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$',
      description: 'The parameter to test; it must be in the query of url.path or in data.',
    }),
    method: Type.Optional(
      Type.Union([Type.Literal('GET'), Type.Literal('POST')], {
        description: 'Default: POST with data, GET without.',
      }),
    ),
    data: Type.Optional(
      Type.String({
        pattern: '^[A-Za-z0-9_.~%](?:[A-Za-z0-9_.~=&+,:/@-]|%[0-9A-Fa-f]{2})*$',
        minLength: 1,
        maxLength: 2048,
        description: 'Form body, percent-encoded: id=1&name=a. Write "*" as %2A.',
      }),
    ),
    action: Type.Union(
      (Object.keys(ACTIONS) as SqlmapAction[]).map((action) => Type.Literal(action)),
      { default: 'detect', description: 'What to read when the parameter is injectable. Rows are never dumped.' },
    ),
    level: Type.Integer({ minimum: 1, maximum: 2, default: 1, description: 'How many payloads: 2 is slower.' }),
    technique: Type.String({
      pattern: '^(?=.)B?E?U?S?T?$',
      default: 'BEU',
      description: 'Letters in this order: Boolean, Error, Union, Stacked, Time-based.',
    }),
  },
  { additionalProperties: false },
);
export type SqlmapInput = Static<typeof SqlmapInputSchema>;

/** The rules between properties, one sentence for each fault. */
export function checkSqlmap(input: SqlmapInput): string[] {
  const faults: string[] = [];
  const path = input.url.path ?? '/';
  // "*" and %INJECT_HERE% are sqlmap's marks for places of injection: they would move the test away from `param`.
  if (path.includes('*')) faults.push('url.path may not have "*": write %2A');
  if (/%(?![0-9A-Fa-f]{2})/.test(path) || /%(?![0-9A-Fa-f]{2})/.test(input.data ?? '')) {
    faults.push('"%" is followed by two hexadecimal digits');
  }
  if (input.method === 'GET' && input.data !== undefined) faults.push('GET takes no data');
  if (input.method === 'POST' && input.data === undefined) faults.push('POST needs data');
  const query = path.includes('?') ? path.slice(path.indexOf('?') + 1) : '';
  const names = [...new URLSearchParams(query).keys(), ...new URLSearchParams(input.data ?? '').keys()];
  // sqlmap reads a -p that is no parameter as a header to inject into (host, user-agent, referer).
  if (!names.includes(input.param)) faults.push('param is not in the query of url.path or in data');
  return faults;
}
