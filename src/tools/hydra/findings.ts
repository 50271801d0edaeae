import { scryptSync } from 'node:crypto';
import type { Severity } from '../../../schemas/finding.ts';
import type { Coverage, FindingDraft } from '../../core/findings/types.ts';
import type { PinnedTarget } from '../../core/targets/types.ts';
import type { ToolContext } from '../../core/tool/definition.ts';
import type { HydraInput } from './input.ts';
import type { HydraResult } from './parser.ts';
import { serviceOf } from './services.ts';

type Place = Pick<FindingDraft, 'target' | 'address' | 'port' | 'protocol'>;

/** One login that a service accepted: the password only as the reference of what was kept apart. */
export function draftOfCredential(
  { input, target }: { readonly input: HydraInput; readonly target: PinnedTarget },
  { login, secretRef }: { readonly login?: string | undefined; readonly secretRef: string },
): FindingDraft {
  const { service } = input;
  return {
    kind: 'credential',
    ...placeOf(input, target),
    key: [doorOf(input, target), ...(login === undefined ? [] : [login])].join(' '),
    title: `${service} accepts a guessed password${login === undefined ? '' : ` for ${login}`}`,
    severity: severityOf(service, login),
    confidence: 'confirmed',
    evidence: `${service} accepted the login; the password is kept as ${secretRef}`,
    references: [secretRef, 'CWE-1391'],
    // Without the reference, which is another in every run.
    attributes: {
      service,
      ...(login === undefined ? {} : { login }),
      ...(input.path === undefined ? {} : { path: input.path }),
    },
  };
}

/** A shell of the superuser is everything; what a community string opens is for reading in most agents. */
function severityOf(service: HydraInput['service'], login: string | undefined): Severity {
  if (service === 'ssh' && login === 'root') return 'critical';
  return service === 'snmp' ? 'medium' : 'high';
}

function placeOf(input: HydraInput, target: PinnedTarget): Place {
  return {
    target: target.canonical,
    address: target.address,
    port: input.port ?? serviceOf(input.service).port,
    protocol: input.service === 'snmp' ? 'udp' : 'tcp',
  };
}

/** What the login opens. Only a form is asked by the name of its site; every other service is asked by its address. */
function doorOf({ service, path, form }: HydraInput, target: PinnedTarget): string {
  const site = form === undefined ? '' : (target.name ?? '');
  return path === undefined ? service : `${service} ${site}${path}`;
}

/** Every credential, and that a service asks for none. */
export function draftsOfHydra(
  call: { readonly input: HydraInput; readonly target: PinnedTarget },
  result: HydraResult,
): readonly FindingDraft[] {
  const { input, target } = call;
  const credentials = result.credentials.map((found) => draftOfCredential(call, found));
  if (!result.open) return [...new Map(credentials.map((draft) => [draft.key, draft])).values()];
  const isHttp = serviceOf(input.service).http !== undefined;
  return [
    {
      kind: 'note',
      ...placeOf(input, target),
      key: `open ${doorOf(input, target)}`,
      title: isHttp ? 'The page is open to any password or none' : `${input.service} asks for no password`,
      // A page without a login may be meant for everybody; a service that has passwords is not.
      severity: isHttp ? 'info' : 'high',
      confidence: isHttp ? 'firm' : 'confirmed',
      evidence: isHttp ? 'a password that cannot be right was accepted' : 'the service answered without one',
      references: isHttp ? [] : ['CWE-306'],
      attributes: { service: input.service },
    },
  ];
}

/** All of the guesses at this service, once each of them was answered. */
export function coverageOfHydra(facts: {
  readonly input: HydraInput;
  readonly target: PinnedTarget;
  readonly context: ToolContext;
  readonly result: HydraResult;
  readonly complete: boolean;
}): Coverage {
  const { input, target, context, result, complete } = facts;
  const { address, port = 0, protocol = 'tcp' } = placeOf(input, target);
  const door = doorOf(input, target);
  const place = { network: address ?? '', protocol, ports: [{ from: port, to: port }] };
  const notes = { kinds: ['note'], ...place, method: `open ${door}` } as const;
  const where = `${door} at ${target.canonical} port ${port}`;
  if (result.open) return { areas: [notes], missing: [`${where}: a service that lets everybody in has no accounts.`] };
  if (!complete) return { areas: [], missing: [`${where}: ${result.note ?? 'the guesses were not all tried.'}`] };
  if (input.stopOnFirst && result.credentials.length > 0) {
    return { areas: [notes], missing: [`${where}: stopped at the first login that works.`] };
  }
  const method = `${door}, ${guessesOf(input, context)}`;
  return { areas: [{ kinds: ['credential'], ...place, method }, notes], missing: [] };
}

/**
 * What was guessed, as a text that is the same for the same guesses and does not tell them. Attack: who reads the
 * coverage tries likely passwords until the digest is the same. It costs as much as a try at a stored password (RFC 7914).
 */
function guessesOf(input: HydraInput, context: ToolContext): string {
  const lists = ['userList', 'passwordList'].map((role) => {
    const list = context.wordlists.get(role);
    return list === undefined ? null : [list.name, list.bytes, list.lines];
  });
  const { users, passwords, form } = input;
  const asked = JSON.stringify([users?.toSorted() ?? null, passwords?.toSorted() ?? null, form ?? null, lists]);
  const salt = `sallyport hydra ${input.service} ${input.host}`;
  return `guesses ${scryptSync(asked, salt, 16).toString('hex')}`;
}
