/** How V8 is to behave in a process that does little, for months. Figures: docs/decisions/0007. */
import { setFlagsFromString } from "node:v8";

/**
 * Bytes of bytecode that a function runs before V8 optimizes it (Flag `interrupt_budget` of V8, 66 KiB by default in
 * 11.3). What runs once in 10 s stays as it is for longer then: in the first minutes V8 spent as much on optimizing
 * it, again and again as it learns, as the process on running it.
 */
const OPTIMIZE_AFTER_BYTES = 1_000_000;

/**
 * Keeps memory and compiler small. To be called before anything else is loaded.
 *
 * The young generation stays at its first size, 2 MiB: while a queue fills, much of it survives, and V8 would let it
 * grow to 32 MiB (Node 24: 64 MiB) and keep that. The usual flag for this, --max-semi-space-size, does nothing once
 * V8 runs; this one is read at every growth (Heap::NewSpace::Grow of V8 11.3 and 13.6). So small a one is collected
 * faster by one thread than several can be woken for it.
 */
export function keepSmall(): void {
  setFlagsFromString("--semi-space-growth-factor=1");
  setFlagsFromString("--no-parallel-scavenge");
  setFlagsFromString(`--interrupt-budget=${OPTIMIZE_AFTER_BYTES}`);
}
