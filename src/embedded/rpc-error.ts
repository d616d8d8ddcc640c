/** The one error of the embedded BanyanDB: what the caller of a method is told. */
import { status } from "@grpc/grpc-js";

export class RpcError extends Error {
  readonly code: status;

  constructor(code: status, details: string) {
    super(details);
    this.name = "RpcError";
    this.code = code;
  }
}

/** A message that breaks a rule of its own fields. */
export function invalidArgument(details: string): RpcError {
  return new RpcError(status.INVALID_ARGUMENT, details);
}

/** What BanyanDB reports as a plain error, without a code of its own. */
export function unknown(details: string): RpcError {
  return new RpcError(status.UNKNOWN, details);
}

export function notFound(): RpcError {
  return new RpcError(status.NOT_FOUND, "banyandb: resource not found");
}

/** What a real server does and this one does not. */
export function unimplemented(what: string): RpcError {
  return new RpcError(status.UNIMPLEMENTED, `the embedded BanyanDB cannot do ${what}`);
}

/** What makes a real server panic; it survives and says INTERNAL. */
export function panicked(details: string): RpcError {
  return new RpcError(status.INTERNAL, details);
}
