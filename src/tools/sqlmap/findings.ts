import type { Area, Coverage, FindingDraft } from '../../core/findings/types.ts';
import { startOf } from '../../core/tool/clean-text.ts';
import type { PinnedTarget } from '../../core/targets/types.ts';
import type { SqlmapInput } from './input.ts';
import type { SqlmapResult } from './result.ts';

/** Columns that are named; the title has their number. */
const MAX_COLUMNS = 49;

/** One injectable parameter; without techniques it was only just seen and not yet checked. */
export function injectionDraft(
  target: PinnedTarget,
  from: { readonly param: string; readonly place: string; readonly techniques: SqlmapResult['techniques'] },
): FindingDraft {
  const { param, place, techniques } = from;
  const types = [...new Set(techniques.map(({ type }) => type))].toSorted();
  return {
    kind: 'injection',
    ...placeOf(target),
    key: `${place} ${param}`,
    title: `${place} parameter ${param} is open to SQL injection`,
    // Stacked queries can write whatever the database user may.
    severity: types.includes('stacked queries') ? 'critical' : 'high',
    confidence: techniques.length === 0 ? 'tentative' : 'confirmed',
    evidence: startOf(techniques.map(({ title, payload }) => `${title}: ${payload}`).join('\n'), 2000),
    references: ['CWE-89'],
    attributes: { parameter: param, place, techniques: types },
  };
}

/** A URL with a name is that name's own site, wherever it is pointed today: no address. */
function placeOf(target: PinnedTarget): Pick<FindingDraft, 'target' | 'address' | 'port' | 'protocol'> {
  return {
    target: target.canonical,
    ...(target.name === undefined ? { address: target.address } : {}),
    ...(target.url === undefined ? {} : { port: target.url.port }),
    protocol: 'tcp',
  };
}

/** The injection and each fact that was read through it. */
export function draftsOfSqlmap(
  input: SqlmapInput,
  target: PinnedTarget,
  result: SqlmapResult,
): readonly FindingDraft[] {
  const { param } = input;
  const injection =
    result.injectable === true
      ? [injectionDraft(target, { param, place: placeOfParam(input, result), techniques: result.techniques })]
      : [];
  const notes = factsOf(result).map(
    ({ key, title, attributes }): FindingDraft => ({
      kind: 'note',
      ...placeOf(target),
      key,
      title,
      severity: 'info',
      confidence: 'firm',
      evidence: `read through parameter ${param}`,
      attributes,
    }),
  );
  return [...new Map([...injection, ...notes].map((draft) => [`${draft.kind} ${draft.key}`, draft])).values()];
}

/** Where the parameter is, as sqlmap says; a word that it does not say is not taken. */
function placeOfParam({ param, data }: SqlmapInput, { place = '' }: SqlmapResult): string {
  if (/^(?:GET|POST)$/.test(place)) return place;
  return new URLSearchParams(data ?? '').has(param) ? 'POST' : 'GET';
}

/** Every place where the request has the parameter: sqlmap tests them all, and names one only when it found something. */
function askedAt({ url: { path = '/' }, param, data }: SqlmapInput): string {
  const query = path.includes('?') ? path.slice(path.indexOf('?') + 1) : '';
  const places = [
    ...(new URLSearchParams(query).has(param) ? ['GET'] : []),
    ...(new URLSearchParams(data ?? '').has(param) ? ['POST'] : []),
  ];
  return places.join(' and ');
}

interface Fact {
  readonly key: string;
  readonly title: string;
  readonly attributes: Readonly<Record<string, unknown>>;
}

function factsOf(result: SqlmapResult): readonly Fact[] {
  const tables = new Map<string, string[]>();
  for (const { database, table, name, type } of result.columns) {
    const key = `${database}.${table}`;
    const columns = tables.get(key) ?? [];
    if (columns.length === 0) tables.set(key, columns);
    columns.push(type === undefined ? name : `${name} ${type}`);
  }
  return [
    ...single('dbms', 'Database system', result.dbms),
    ...single('technology', 'Web technology', result.technology),
    ...single('banner', 'Database banner', result.banner),
    ...single('current user', 'Database user', result.currentUser),
    ...single('current database', 'Current database', result.currentDb),
    ...result.databases.map((name) => ({ key: `database ${name}`, title: `Database ${name}`, attributes: { name } })),
    ...result.tables.map(({ database, name }) => ({
      key: `table ${database}.${name}`,
      title: `Table ${database}.${name}`,
      attributes: { database, name },
    })),
    ...[...tables].map(([key, columns]) => ({
      key: `columns ${key}`,
      title: `${columns.length} columns of ${key}`,
      attributes: { columns: columns.slice(0, MAX_COLUMNS) },
    })),
  ];
}

function single(key: string, label: string, value: string | undefined): readonly Fact[] {
  return value === undefined ? [] : [{ key, title: startOf(`${label}: ${value}`, 200), attributes: { value } }];
}

/** The parameter, once it was judged by all that was asked for, and what was read, once it was read to its end. */
export function coverageOfSqlmap(facts: {
  readonly input: SqlmapInput;
  readonly target: PinnedTarget;
  readonly result: SqlmapResult;
  readonly complete: boolean;
}): Coverage {
  const { input, target, result, complete } = facts;
  const subject = target.canonical;
  // Names only: a value can be a session.
  const fields = [...new URLSearchParams(input.data ?? '').keys()].toSorted().join(',');
  const request = `${askedAt(input)} ${input.param}${fields === '' ? '' : ` of form ${fields}`}`;
  const tested: Area = {
    kinds: ['injection'],
    subject,
    method: `${request}, level ${input.level}, technique ${input.technique}`,
  };
  const read: Area = { kinds: ['note'], subject, method: `${request}, action ${input.action}` };
  if (result.injectable === null) return { areas: [], missing: [`${request} at ${subject}: not tested to the end.`] };
  if (!result.injectable) return { areas: [tested], missing: [] };
  if (!complete) return { areas: [tested], missing: [`${input.action} at ${subject}: not read to the end.`] };
  return { areas: [tested, read], missing: [] };
}
