/** What `check` found, as JSON. Pure. */
import { CAPABILITIES } from "./capabilities.js";
import { problemsOf, verdict } from "./check-problems.js";
import { type CheckReport, checkExitCode, LARGE_CPUS } from "./check-report.js";

/** The report as a JSON value; absent parts could not be found out. */
export function checkJson(report: CheckReport): object {
  const { host, kernel, missingCapabilities, banyandb, target, volume } = report;
  const missing = new Set(missingCapabilities.map(({ name }) => name));
  const measured = kernel.state === "measures" ? kernel : undefined;
  return {
    exit_code: checkExitCode(report),
    verdict: verdict(report),
    problems: problemsOf(report),
    host,
    tier: measured?.status.tier ?? "none",
    probes: measured?.status.probes ?? [],
    capabilities: CAPABILITIES.map(({ name, reason }) => ({ name, present: !missing.has(name), reason })),
    target: {
      selector: target,
      processes:
        measured?.status.targets.map(({ pid, command, nodeId }) => ({ pid, command, node_id: nodeId })) ?? [],
      components: (measured?.components ?? []).map(({ catalog, dbGroup, path }) => ({
        catalog,
        db_group: dbGroup,
        path,
      })),
    },
    banyandb: {
      address: banyandb.address,
      reachable: banyandb.state === "reached",
      ...(banyandb.state === "reached"
        ? { version: banyandb.version }
        : { code: banyandb.code, message: banyandb.message }),
    },
    schema: banyandb.state === "reached" ? { state: banyandb.schema, lines: banyandb.lines } : undefined,
    kernel_memory: measured && {
      possible_cpus: measured.memory.possibleCpus,
      bytes: measured.memory.bytes,
      [`bytes_at_${LARGE_CPUS}_cpus`]: measured.memory.bytesOnLargeMachine,
    },
    pins: measured?.pins && {
      path: measured.pins.path,
      state: measured.pins.state,
      reason: measured.pins.reason,
      journal_bytes: measured.pins.journalBytes,
    },
    volume: { rows_per_day: volume.rowsPerDay, bytes_per_day: volume.bytesPerDay },
    outage: {
      full_resolution_ms: volume.outage.fullResolutionMs,
      without_loss_ms: volume.outage.withoutLossMs,
      widest_row_ms: volume.outage.widestRowMs,
    },
  };
}
