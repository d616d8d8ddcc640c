/** From what a command threw to a message and an exit code. */
import { BanyanError } from "../banyandb/errors.js";
import { ConfigError } from "../config/problems.js";
import { InstanceLockError } from "../instance-lock.js";
import { KernelError } from "../kernel/errors.js";
import { SchemaFileError } from "../model/measure.js";
import { HttpListenError } from "../observe/http.js";
import { UsageError } from "./arguments.js";
import { ownMissingCapabilities } from "./capabilities.js";
import { EXIT } from "./exit-code.js";
import { PROGRAM } from "./help.js";

/** Whether the kernel refused for want of permission. */
export function isPermissionError(error: unknown): error is KernelError {
  return error instanceof KernelError && (error.code === "EPERM" || error.code === "EACCES");
}

/** The text for standard error, and the exit code. An unexpected error shows where it comes from. */
export function reportError(error: unknown): { readonly text: string; readonly exitCode: number } {
  if (error instanceof ConfigError) return { text: error.message, exitCode: EXIT.badConfig };
  if (error instanceof UsageError) {
    return { text: `${error.message}\nTry \`${PROGRAM} --help\`.`, exitCode: EXIT.usage };
  }
  if (isPermissionError(error)) {
    const missing = ownMissingCapabilities().map(({ name, reason }) => `\n  ${name} is missing: ${reason}`);
    return { text: `${explained(error)}${missing.join("")}`, exitCode: EXIT.noPermission };
  }
  if (error instanceof KernelError) return { text: explained(error), exitCode: EXIT.failure };
  const expected = [BanyanError, HttpListenError, InstanceLockError, SchemaFileError].some(
    (kind) => error instanceof kind,
  );
  const text =
    error instanceof Error ? (expected ? error.message : (error.stack ?? error.message)) : String(error);
  return { text, exitCode: EXIT.failure };
}

function explained({ message, hint }: KernelError): string {
  return hint === undefined || message.includes(hint) ? message : `${message}; ${hint}`;
}
