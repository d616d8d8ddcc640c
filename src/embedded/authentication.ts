/**
 * Basic authentication as banyand/liaison/grpc/auth.go (apache/skywalking-banyandb 9ebac4516) has it: two plain
 * entries of metadata with every call; only the health check goes without.
 */
import { ServerInterceptingCall, ServerListenerBuilder, status } from "@grpc/grpc-js";
import type { ServerInterceptor } from "@grpc/grpc-js";
import { Health } from "../gen/grpc/health/v1/health_pb.js";

export interface EmbeddedAccount {
  readonly username: string;
  readonly password: string;
}

/** Refuses calls without the account that `expected` gives at that moment. */
export function authenticate(expected: () => EmbeddedAccount): ServerInterceptor {
  return (method, call) => {
    if (method.path === `/${Health.typeName}/Check`) return new ServerInterceptingCall(call);
    const listener = new ServerListenerBuilder().withOnReceiveMetadata((metadata, next) => {
      const { username, password } = expected();
      if (metadata.get("username")[0] === username && metadata.get("password")[0] === password) {
        next(metadata);
        return;
      }
      call.sendStatus({ code: status.UNAUTHENTICATED, details: "Invalid credentials" });
    });
    return new ServerInterceptingCall(call, {
      start: (next) => {
        next(listener.build());
      },
    });
  };
}
