import { Type } from '@sinclair/typebox';

/** Path segments that neither begin with '.' or '-' nor leave the directory; the first names the collection. */
const SEGMENT = '[A-Za-z0-9_][A-Za-z0-9_.+-]{0,99}';
const NAME = `^${SEGMENT}(/${SEGMENT}){1,9}$`;

/** Whether a text has the form of a word-list name. */
export function isWordlistName(text: string): boolean {
  return text.length <= 200 && new RegExp(NAME).test(text);
}

/** The name of a word list of the server, `collection/file`: never a path. */
export const WordlistNameSchema = Type.String({
  pattern: NAME,
  maxLength: 200,
  description:
    'Name of a word list of the server, like "dirb/common.txt". An unknown name is answered with the names that exist.',
});
