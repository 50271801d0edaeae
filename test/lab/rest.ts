import type { ErrorBody } from '../../schemas/error.ts';
import type { PlanView } from '../../schemas/plan.ts';
import type { RunResult } from '../../schemas/run.ts';
import type { LayerState } from '../../src/core/execution/types.ts';
import type { LabGateway } from './gateway.ts';

/** The answer of one call over REST: a result when the status is 200, else the body of an error. */
export type RestAnswer =
  | { readonly status: 200; readonly run: RunResult; readonly error: undefined }
  | { readonly status: number; readonly run: undefined; readonly error: ErrorBody };

/** Runs a tool over `POST /v1/tools/{name}/runs`. */
export async function runTool(gateway: LabGateway, tool: string, body: Record<string, unknown>): Promise<RestAnswer> {
  const response = await fetch(`${gateway.url}/v1/tools/${tool}/runs`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${gateway.key}`, 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  });
  const answer: unknown = await response.json();
  return response.status === 200
    ? { status: 200, run: answer as RunResult, error: undefined }
    : { status: response.status, run: undefined, error: answer as ErrorBody };
}

/** The plan of a call, over `POST /v1/tools/{name}/plan`. */
export async function planTool(gateway: LabGateway, tool: string, body: Record<string, unknown>): Promise<PlanView> {
  const response = await fetch(`${gateway.url}/v1/tools/${tool}/plan`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${gateway.key}`, 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  });
  const answer: unknown = await response.json();
  if (response.status !== 200) throw new Error(`no plan: ${response.status} ${JSON.stringify(answer)}`);
  return answer as PlanView;
}

/** Reads a path of the gateway with the key. */
export async function read(gateway: LabGateway, path: string): Promise<unknown> {
  const response = await fetch(`${gateway.url}${path}`, { headers: { Authorization: `Bearer ${gateway.key}` } });
  return response.json();
}

/** The layers of confinement as the gateway's health report shows them. */
export async function layersOf(gateway: LabGateway): Promise<readonly LayerState[]> {
  const { confinement } = (await read(gateway, '/health')) as { confinement: readonly LayerState[] };
  return confinement;
}
