import type { SecretStore } from '../core/auth/types.ts';
import type { Redactor } from '../core/redaction/redactor.ts';
import type { ToolStateStore } from '../core/store/types.ts';
import type { Registry } from '../core/tool/registry-types.ts';

/** More than the redactor remembers of all owners together. */
const MOST_SECRETS = 32_000;

/** Makes what earlier lives found secret again: it stands in kept output and results. */
export async function rememberSecrets(secrets: SecretStore, redactor: Pick<Redactor, 'keepFound'>): Promise<void> {
  const recent = await secrets.recent(MOST_SECRETS);
  // The oldest first: of too many the newest stay known.
  for (const { owner, value } of recent.toReversed()) redactor.keepFound(owner, value);
}

/** Switches tools as the operator left them. A tool that is no longer loaded is left out. */
export async function restoreToolStates(states: ToolStateStore, registry: Registry): Promise<void> {
  const names = new Set(registry.all().map(({ definition }) => definition.name));
  for (const [name, enabled] of await states.all()) if (names.has(name)) registry.setEnabled(name, enabled);
}
