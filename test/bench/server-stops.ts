/**
 * Whether a stop of the server costs a count: `npm run bench:stops -- /opt/banyand/main/banyand ...`, as root. A whole
 * sidecar watches a sample workload; the server is killed, and stopped gracefully, at the moments when it forgets what
 * it acknowledged. Prints what the kernel counted beside what a query returns, and exits 1 where they differ. Without
 * an argument: the `banyand` in PATH, else the embedded server.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { startBanyandbServer, type BanyandbServer } from "../support/banyandb-server.js";
import { startLiveSidecar, type LiveSidecar } from "../support/live-sidecar.js";
import { present } from "../support/present.js";
import { waitFor } from "../support/wait.js";

type Signal = "SIGKILL" | "SIGTERM";

interface Scenario {
  readonly name: string;
  /** From a sidecar that writes to a server that is back, all told. */
  run(sidecar: LiveSidecar, stop: () => Promise<void>): Promise<void>;
}

const INTERVAL_MS = 200;
const DELAYS_MS = [200, 2000, 4000];
const DOWN_MS = 300;
/** After this the schema itself is safe (flush interval of the schema server: 5 s). */
const SCHEMA_SAFE_MS = 12_000;
const WITHIN_MS = 60_000;

const written = (sidecar: LiveSidecar): number => sidecar.agent.status().delivery?.points.written ?? 0;

async function moreWritten(sidecar: LiveSidecar, points: number): Promise<void> {
  const before = written(sidecar);
  await waitFor("more is written", () => written(sidecar) >= before + points, WITHIN_MS);
}

const SCENARIOS: readonly Scenario[] = [
  ...DELAYS_MS.map((delayMs): Scenario => ({
    name: `${delayMs / 1000} s after acknowledgements`,
    async run(sidecar, stop) {
      sidecar.begin();
      await moreWritten(sidecar, 1);
      await sleep(SCHEMA_SAFE_MS);
      // The last counts are in the next tick, and acknowledged.
      sidecar.freeze();
      await sleep(2 * INTERVAL_MS);
      await waitFor("all is acknowledged", () => sidecar.left() === 0, WITHIN_MS);
      await sleep(delayMs);
      await stop();
      sidecar.thaw();
    },
  })),
  {
    name: "right after the schema was created",
    async run(sidecar, stop) {
      sidecar.begin();
      await waitFor("the schema", () => sidecar.agent.status().delivery?.schema.state === "ready", WITHIN_MS);
      await stop();
    },
  },
  {
    name: "three times under continuous writes",
    async run(sidecar, stop) {
      sidecar.begin();
      for (const delayMs of DELAYS_MS) {
        await moreWritten(sidecar, 10);
        await sleep(delayMs);
        await stop();
      }
    },
  },
];

let failures = 0;

async function check(server: BanyandbServer, signal: Signal, scenario: Scenario, n: number): Promise<void> {
  const controls = present(server.controls);
  const sidecar = await startLiveSidecar({
    address: server.address,
    group: `stops_${n}`,
    intervalMs: INTERVAL_MS,
  });
  await scenario.run(sidecar, async () => {
    await (signal === "SIGKILL" ? controls.kill() : controls.stop());
    await sleep(DOWN_MS);
    await controls.restart();
  });
  await moreWritten(sidecar, 10);
  await waitFor("all is acknowledged", () => sidecar.left() <= 10, WITHIN_MS);
  const { resent = 0, dropped = 0 } = sidecar.agent.status().delivery?.points ?? {};
  const balances = await sidecar.finish();
  const wrong = balances.flatMap(({ measure, wrong }) => wrong.map((line) => `${measure}.${line}`));
  const [total] = balances;
  failures += wrong.length;
  console.log(
    `  ${signal} ${scenario.name.padEnd(37)} ${String(total?.reads).padStart(7)} reads in ` +
      `${String(total?.rows).padStart(4)} rows, ${String(resent).padStart(4)} points sent again, ${dropped} dropped: ` +
      (wrong.length === 0 ? "equal in every field" : wrong.join("; ")),
  );
}

const binaries: readonly (string | undefined)[] =
  process.argv.length > 2 ? process.argv.slice(2) : [undefined];
let n = 0;
for (const binary of binaries) {
  const server = await startBanyandbServer(binary);
  for (const signal of ["SIGKILL", "SIGTERM"] as const) {
    for (const scenario of SCENARIOS) await check(server, signal, scenario, ++n);
  }
  await server.close();
}
process.exitCode = failures > 0 ? 1 : 0;
