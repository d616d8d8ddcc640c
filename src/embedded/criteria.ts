/** The criteria of a query: equality of entity tags, joined by AND. */
import { Condition_BinaryOp, LogicalExpression_LogicalOp } from "../gen/banyandb/model/v1/model_pb.js";
import type { Condition, Criteria } from "../gen/banyandb/model/v1/model_pb.js";
import { entityValueKey } from "./columns.js";
import { unimplemented, unknown } from "./rpc-error.js";

function operator(op: Condition_BinaryOp): string {
  return `the operator ${Condition_BinaryOp[op]}`;
}

/**
 * Position in the entity → name of the value (`entityValueKey`) that a row must have there.
 * @throws RpcError
 */
export function parseCriteria(
  criteria: Criteria | undefined,
  entityTags: readonly string[],
): ReadonlyMap<number, string> {
  const wanted = new Map<number, string>();

  function addCondition({ name, op, value }: Condition): void {
    const position = entityTags.indexOf(name);
    if (op === Condition_BinaryOp.IN) throw unimplemented(operator(op));
    // Everything but equality of an entity tag needs an index rule, and there are none here.
    if (position < 0 || op !== Condition_BinaryOp.EQ || value?.value.case === "null") {
      throw unknown(`mandatory index rule conf:name:"${name}": unsupported condition operation`);
    }
    const comparable = value?.value.case === "str" || value?.value.case === "int";
    const key = comparable ? entityValueKey(value) : undefined;
    if (key === undefined) throw unknown("unsupported condition value type");
    if ((wanted.get(position) ?? key) !== key) throw unknown("invalid query options: series is required");
    wanted.set(position, key);
  }

  function add({ exp }: Criteria): void {
    switch (exp.case) {
      case "condition":
        addCondition(exp.value);
        return;
      case "le":
        if (exp.value.op !== LogicalExpression_LogicalOp.AND) throw unimplemented("OR in criteria");
        if (exp.value.left !== undefined) add(exp.value.left);
        if (exp.value.right !== undefined) add(exp.value.right);
        return;
      case undefined:
        throw unknown("invalid criteria type");
    }
  }

  if (criteria !== undefined) add(criteria);
  return wanted;
}
