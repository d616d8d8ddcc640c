/** What the exit code says. Those above 63 are the ones of sysexits.h, which init systems and scripts know. */
export const EXIT = {
  ok: 0,
  /** It was tried and failed; the message says what. */
  failure: 1,
  /** The command line makes no sense (EX_USAGE). */
  usage: 64,
  /** This process may not load BPF programs (EX_NOPERM). */
  noPermission: 77,
  /** The configuration is wrong (EX_CONFIG). */
  badConfig: 78,
} as const;
