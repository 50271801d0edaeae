import { type Static, Type } from '@sinclair/typebox';

const FIELD = Type.String({
  pattern: '^[A-Za-z0-9_.:\\[\\]][A-Za-z0-9_.:\\[\\]-]{0,63}$',
  description: 'Name of a form field.',
});
const TEXT = { pattern: '^[^\\u0000-\\u001f\\u007f-][^\\u0000-\\u001f\\u007f]{0,199}$' };

/** A login form, in parts: hydra's own syntax is built from it and never taken. */
export const LoginFormSchema = Type.Object(
  {
    userField: { ...FIELD, description: 'Field that takes the user name.' },
    passwordField: { ...FIELD, description: 'Field that takes the password.' },
    fields: Type.Optional(
      Type.Array(
        Type.Object(
          { name: FIELD, value: Type.String({ ...TEXT, description: 'Its fixed value.' }) },
          { additionalProperties: false },
        ),
        { maxItems: 20, description: 'Other fields that are sent with every attempt.' },
      ),
    ),
    failureText: Type.Optional(
      Type.String({ ...TEXT, description: 'Text of the page after a wrong login. Give this or successText.' }),
    ),
    successText: Type.Optional(
      Type.String({ ...TEXT, description: 'Text of the page after a right login. Give this or failureText.' }),
    ),
  },
  { additionalProperties: false, description: 'http-post-form: the form; its page is `path`.' },
);
export type LoginForm = Static<typeof LoginFormSchema>;

/**
 * hydra's option for a form: `PATH:BODY:[H=HEADER:]F=REGEX`. The parts are joined by colons, `\:` is a colon in one.
 * Nothing of the caller's can end a part: the body is percent-encoded, the condition is a regular expression of
 * escaped bytes, the path and the header have their colons escaped. A backslash reaches none of them.
 */
export function formOption(form: LoginForm, page: { readonly path: string; readonly hostHeader?: string }): string {
  const fixed = (form.fields ?? []).map(({ name, value }) => `${encodeField(name)}=${encodeField(value)}`);
  const body = [`${encodeField(form.userField)}=^USER^`, `${encodeField(form.passwordField)}=^PASS^`, ...fixed];
  const condition =
    form.successText === undefined ? `F=${literal(form.failureText ?? '')}` : `S=${literal(form.successText)}`;
  const header = page.hostHeader === undefined ? [] : [`H=Host\\: ${escapeColons(page.hostHeader)}`];
  return [escapeColons(page.path), body.join('&'), ...header, condition].join(':');
}

function escapeColons(text: string): string {
  return text.replaceAll(':', '\\:');
}

/** Percent-encodes everything but unreserved characters: `^USER^` in a fixed value must not become a placeholder. */
function encodeField(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
}

/** A PCRE that matches exactly these bytes: hydra reads the condition as a regular expression. */
function literal(text: string): string {
  return [...Buffer.from(text)]
    .map((byte) => {
      const char = String.fromCharCode(byte);
      return /[A-Za-z0-9]/.test(char) ? char : `\\x${byte.toString(16).padStart(2, '0')}`;
    })
    .join('');
}
