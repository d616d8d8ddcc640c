/** How much memory V8 may take beyond what is in use. */
import { setFlagsFromString } from "node:v8";

/**
 * Keeps the young generation at its first size, 2 MiB. While a queue fills, much of it survives, and V8 would let it
 * grow to 32 MiB (Node 24: 64 MiB) and keep that. To be called before anything else is loaded. The usual flag for
 * this, --max-semi-space-size, does nothing once V8 runs; this one is read at every growth (Heap::NewSpace::Grow of
 * V8 11.3 and 13.6), and measured to work (docs/decisions/0007).
 */
export function keepHeapSmall(): void {
  setFlagsFromString("--semi-space-growth-factor=1");
}
