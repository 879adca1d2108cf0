/** The PostgREST version whose behaviour is matched; tools read it off the root document, and clients off `Server`. */
export const COMPATIBLE_VERSION = '16.2';
