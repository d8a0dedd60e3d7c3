/** The server under test. */
declare const PICOAUTH_URL: string;
/** One whose settings do not fit the pages. */
declare const FORGETFUL_URL: string;
