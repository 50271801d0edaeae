import type { ErrorCode } from '../core/errors.ts';

const TELL_USER = 'Tell the user; no argument changes it. Do not try other spellings, targets or tools.';
const ASK_OPERATOR = 'Only the operator can allow this; no argument changes it. Do not try other spellings.';
const WAIT = 'Nothing is wrong with the arguments. Wait, then try again.';
const NOT_HERE = 'Another try will not help until the operator has mended it.';

const TABLE = {
  ERR_INPUT_INVALID: 'Correct the arguments named in details.faults and call again.',
  ERR_AUTH_FORBIDDEN: 'This key does not hold the scope; ask the operator for one that does.',
  ERR_TARGET_INVALID: 'Correct the spelling of the target and call again.',
  ERR_TARGET_OUT_OF_SCOPE: ASK_OPERATOR,
  ERR_TARGET_UNRESOLVED: 'Check the name, or give an address.',
  ERR_TARGET_UNPINNABLE: 'Give an address instead of the name.',
  ERR_TARGET_TOO_LARGE: 'Split the target or the ports into smaller calls.',
  ERR_RISK_TOO_HIGH: 'Leave out the option that raises the risk, or ask the operator for a higher ceiling.',
  ERR_ENGAGEMENT_REQUIRED:
    'Name one of details.engagements in run.engagement; ask the user when you do not know which.',
  ERR_ENGAGEMENT_UNKNOWN: 'Call scope for the engagements that are yours; do not guess names.',
  ERR_ENGAGEMENT_NOT_OPEN: `It is not open now. ${TELL_USER}`,
  ERR_ENGAGEMENT_EXPIRED: `The permission has ended. ${TELL_USER}`,
  ERR_ENGAGEMENT_REVOKED: `The permission was taken back. ${TELL_USER}`,
  ERR_ENGAGEMENT_TOOL_DENIED: `The engagement does not permit this tool. ${TELL_USER}`,
  ERR_ENGAGEMENT_INVALID: 'Only the operator writes engagements.',
  ERR_ENGAGEMENT_READ_ONLY: 'Only the operator writes engagements.',
  ERR_PLAN_UNKNOWN: 'There is no such plan of yours; make one with plan.',
  ERR_PLAN_EXPIRED: 'Make a new plan and look at it again before you run it.',
  ERR_PLAN_USED: 'A plan runs once; make a new one when the user wants it again.',
  ERR_PLAN_MISMATCH: 'Send the plan id alone, or with exactly the input that was planned.',
  ERR_PLAN_CHANGED: 'What would run is not what was planned: make a new plan and show the user what is different.',
  ERR_PLAN_RESOLUTION_CHANGED: 'A name leads elsewhere now: make a new plan and tell the user.',
  ERR_PLAN_ENGAGEMENT_CHANGED: 'The permission was changed since: make a new plan.',
  ERR_APPROVAL_UNKNOWN: 'There is nothing of yours to decide under this id.',
  ERR_APPROVAL_SELF: 'Who asked for a run cannot approve it; another person has to. Tell the user.',
  ERR_APPROVAL_OVER: 'It was decided already; run_status shows how.',
  ERR_APPROVAL_REPEATED: 'This decision was taken already; another person has to give the next one.',
  ERR_APPROVAL_DENIED: 'A person said no. Tell the user; do not ask again, and do not try another way to the same end.',
  ERR_APPROVAL_EXPIRED: 'Nobody approved it in time. Tell the user; start it again only when the user wants it.',
  ERR_KILL_SWITCH: 'The operator has stopped everything here. Stop, tell the user, and start nothing until told to.',
  ERR_BUDGET_EXHAUSTED:
    'The engagement has no more of it now. Ask for less or come back later; do not split it to get around the limit.',
  ERR_QUOTA_EXCEEDED: 'Too many of your calls run or wait at once: wait for one to end.',
  ERR_AUDIT_UNAVAILABLE: NOT_HERE,
  ERR_TOOL_DISABLED: ASK_OPERATOR,
  ERR_SECRET_UNKNOWN: 'Use a reference from a result of your own.',
  ERR_RUN_UNKNOWN: 'There is no such run of yours; run_list shows them.',
  ERR_RUN_UNFINISHED: 'The run goes on: wait for its end with run_status.',
  ERR_RUN_WITHOUT_RESULT: 'Nothing ran, so there is nothing to read; run_status says why.',
  ERR_RUN_RETAINED: 'The operator keeps it for a time; no argument changes that.',
  ERR_RUN_LOST:
    'The gateway stopped while it ran; what was found until then is kept. Start it again if you need it whole.',
  ERR_IDEMPOTENCY_CONFLICT: 'The key was used for another call: choose a new one.',
  ERR_RATE_LIMITED: WAIT,
  ERR_RUN_CANCELLED: 'It was cancelled before it ended.',
  ERR_TOOL_FAILED: 'The tool itself failed; read its message before you change anything.',
  ERR_TOOL_BUSY: WAIT,
  ERR_TOOL_CIRCUIT_OPEN: 'The tool failed several times in a row and rests. Wait, then try again.',
  ERR_TOOL_UNAVAILABLE: NOT_HERE,
  ERR_OVERLOADED: WAIT,
  ERR_SHUTTING_DOWN: WAIT,
  ERR_STORE_UNAVAILABLE: NOT_HERE,
  ERR_EXEC_CONFINEMENT: NOT_HERE,
  ERR_EXEC_HELPER_MISSING: NOT_HERE,
  ERR_EXEC_KERNEL_UNSUPPORTED: NOT_HERE,
  ERR_EXEC_SYSCALL_DENIED: NOT_HERE,
  ERR_EXEC_DISK_FULL: NOT_HERE,
  ERR_EXEC_DESCRIPTORS: NOT_HERE,
  ERR_EXEC_PROCESSES: NOT_HERE,
  ERR_TOOL_TIMEOUT: 'Ask for less (fewer targets or ports), or raise run.timeoutMs.',
} as const satisfies Partial<Record<ErrorCode, string>>;

/** One sentence per error code for a model that wants to go on: what to change, or that nothing will help. */
export const ADVICE: Readonly<Record<string, string | undefined>> = TABLE;
