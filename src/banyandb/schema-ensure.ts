/**
 * Sees to it that the group and the measures exist, and learns the server's order of values. Creating is not
 * atomic on any server version, so what counts is what can be read afterwards. Only ever adds; never changes a
 * group, and never updates what is equal (0.10.3 raises the revision for it, which expires all other writers).
 */
import type { DescMessage, DescMethodUnary, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import type { BanyandbConfig } from "../config/config.js";
import { Service, type Group } from "../gen/banyandb/common/v1/common_pb.js";
import {
  GroupRegistryService,
  MeasureRegistryService,
  type Measure,
} from "../gen/banyandb/database/v1/database_pb.js";
import type { MeasureSpec, Schema } from "../model/measure.js";
import { BanyanError } from "./errors.js";
import { compileMapping, type RowMapping } from "./rows.js";
import { diffGroup, diffMeasure } from "./schema-diff.js";
import { wantedGroup, wantedMeasure } from "./schema-wanted.js";
import type { Transport } from "./transport.js";

/** Deadline of each call; they are small, and the first one may have to connect. */
const CALL_DEADLINE_MS = 10_000;

export interface SchemaRequest {
  readonly transport: Transport;
  readonly config: BanyandbConfig;
  readonly schema: Schema;
  readonly signal?: AbortSignal;
}

/** What the server has, compared with what we want. */
export interface SchemaComparison {
  readonly state: "missing" | "equal" | "additive" | "conflict";
  /** What is missing or differs, one line each. */
  readonly diff: readonly string[];
  /** What differs but does not matter, since it is the operator's. */
  readonly notes: readonly string[];
}

export type EnsuredSchema =
  | {
      readonly state: "ready";
      readonly mappings: ReadonlyMap<MeasureSpec, RowMapping>;
      /** What was created or added, one line each. */
      readonly changes: readonly string[];
      readonly notes: readonly string[];
    }
  | { readonly state: "conflict"; readonly diff: readonly string[] };

/**
 * Compares only; changes nothing.
 * @throws BanyanError
 */
export async function compareSchema(request: SchemaRequest): Promise<SchemaComparison> {
  const { config, schema } = request;
  const group = await getGroup(request);
  if (!group) return { state: "missing", diff: [`group ${config.group} is missing`], notes: [] };
  const { conflict, notes } = diffGroup(wantedGroup(config), group);
  if (conflict !== undefined) return { state: "conflict", diff: [conflict], notes };
  let state: SchemaComparison["state"] = "equal";
  const diff: string[] = [];
  for (const spec of schema.measures) {
    const server = await getMeasure(request, spec.name);
    const found = server
      ? diffMeasure(wantedMeasure(config.group, schema.group, spec), server)
      : { kind: "missing" as const, lines: [`measure ${spec.name} is missing`] };
    if (SEVERITY[found.kind] > SEVERITY[state]) state = found.kind;
    if (found.kind !== "equal") diff.push(...found.lines);
  }
  return { state, diff, notes };
}

const SEVERITY = { equal: 0, additive: 1, missing: 2, conflict: 3 } as const;

/**
 * Creates what is missing, adds fields that are missing, and compiles the row mappings for `identity` (the values
 * of the group's identity tags).
 * @throws BanyanError where the server cannot be asked or refuses
 */
export async function ensureSchema(
  request: SchemaRequest,
  identity: readonly string[],
): Promise<EnsuredSchema> {
  const { config, schema } = request;
  const changes: string[] = [];
  const group = await ensureGroup(request, changes);
  const { conflict, notes } = diffGroup(wantedGroup(config), group);
  if (conflict !== undefined) return { state: "conflict", diff: [conflict] };
  const mappings = new Map<MeasureSpec, RowMapping>();
  const diff: string[] = [];
  for (const spec of schema.measures) {
    const ensured = await ensureMeasure(request, spec, changes);
    if (Array.isArray(ensured)) diff.push(...ensured);
    else mappings.set(spec, compileMapping(spec, schema.group, identity, ensured));
  }
  return diff.length > 0 ? { state: "conflict", diff } : { state: "ready", mappings, changes, notes };
}

/**
 * Version of the server's API, such as 0.10; it is for people, nothing depends on it.
 * @throws BanyanError
 */
export async function serverVersion(transport: Transport, signal?: AbortSignal): Promise<string | undefined> {
  const { version } = await transport.call(Service.method.getAPIVersion, {}, callOptions(signal));
  return version?.version;
}

async function ensureGroup(request: SchemaRequest, changes: string[]): Promise<Group> {
  const present = await getGroup(request);
  if (present) return present;
  const created = await call(
    request,
    GroupRegistryService.method.create,
    { group: wantedGroup(request.config) },
    "ALREADY_EXISTS",
  );
  if (created) changes.push(`group ${request.config.group} was created`);
  return required(await getGroup(request), "group", request.config.group);
}

/** The server's measure, or the lines that say why it cannot be used. */
async function ensureMeasure(
  request: SchemaRequest,
  spec: MeasureSpec,
  changes: string[],
): Promise<Measure | string[]> {
  const wanted = wantedMeasure(request.config.group, request.schema.group, spec);
  let server = await getMeasure(request, spec.name);
  if (!server) {
    const created = await call(
      request,
      MeasureRegistryService.method.create,
      { measure: wanted },
      "ALREADY_EXISTS",
    );
    if (created) changes.push(`measure ${spec.name} was created`);
    server = required(await getMeasure(request, spec.name), "measure", spec.name);
  }
  const diff = diffMeasure(wanted, server);
  if (diff.kind === "equal") return server;
  if (diff.kind === "conflict") return [...diff.lines];
  await call(request, MeasureRegistryService.method.update, { measure: diff.union });
  changes.push(...diff.lines.map((line) => `${line}: added`));
  const updated = required(await getMeasure(request, spec.name), "measure", spec.name);
  // Of two that add at once the later one may have undone what the other has added, without knowing it.
  if (diffMeasure(wanted, updated).kind === "equal") return updated;
  throw new BanyanError({
    code: "ABORTED",
    operation: "update",
    object: `measure ${spec.name}`,
    detail: "it was changed by another writer meanwhile",
  });
}

async function getGroup(request: SchemaRequest): Promise<Group | undefined> {
  const { group } = request.config;
  const response = await call(request, GroupRegistryService.method.get, { group }, "NOT_FOUND");
  return response?.group;
}

async function getMeasure(request: SchemaRequest, name: string): Promise<Measure | undefined> {
  const metadata = { group: request.config.group, name };
  const response = await call(request, MeasureRegistryService.method.get, { metadata }, "NOT_FOUND");
  return response?.measure;
}

/** Calls a method; a failure with the code `expected` is undefined, any other one is thrown. */
async function call<I extends DescMessage, O extends DescMessage>(
  { transport, signal }: SchemaRequest,
  method: DescMethodUnary<I, O>,
  message: MessageInitShape<I>,
  expected?: string,
): Promise<MessageShape<O> | undefined> {
  try {
    return await transport.call(method, message, callOptions(signal));
  } catch (error) {
    if (error instanceof BanyanError && error.code === expected) return undefined;
    throw error;
  }
}

function callOptions(signal: AbortSignal | undefined): { deadlineMs: number; signal?: AbortSignal } {
  return { deadlineMs: CALL_DEADLINE_MS, ...(signal && { signal }) };
}

/** What was created must be there; another writer may just have deleted it, which a retry finds out. */
function required<T>(found: T | undefined, kind: string, name: string): T {
  if (found !== undefined) return found;
  throw new BanyanError({ code: "NOT_FOUND", operation: "read back", object: `${kind} ${name}` });
}
