/**
 * What cannot be done, in one sentence for the user.
 */

export class Refused extends Error {}
