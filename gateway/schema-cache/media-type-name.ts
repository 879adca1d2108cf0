const ANY_TYPE = '*/*';
const MEDIA_TYPE = /^[a-z0-9.-]+\/[a-z0-9.+-]+$/;

/** The media type a domain is named after, in lower case; `undefined` for other names (M8). */
export function parseMediaTypeName(name: string): string | undefined {
  const lower = name.toLowerCase();
  return lower === ANY_TYPE || MEDIA_TYPE.test(lower) ? lower : undefined;
}
