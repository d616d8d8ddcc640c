/**
 * A mocha reporter for logs: one line per group of tests, each failure in full when it happens, and the
 * counts and the labels as JSON in the file that the option `results` names.
 */
import { writeFileSync } from "node:fs";
import { inspect } from "node:util";
import Mocha from "mocha";

const { EVENT_RUN_BEGIN, EVENT_RUN_END, EVENT_SUITE_BEGIN, EVENT_SUITE_END } = Mocha.Runner.constants;
const { EVENT_HOOK_BEGIN, EVENT_HOOK_END } = Mocha.Runner.constants;
const { EVENT_TEST_BEGIN, EVENT_TEST_PASS, EVENT_TEST_FAIL } = Mocha.Runner.constants;

/** A test that takes longer has a line of its own. */
const LONG_MS = 2_000;
/** What is running is named this often. */
const PROGRESS_MS = 10_000;

/** Tests may replace the global timers and clock. */
const { setInterval, clearInterval } = globalThis;
const now = Date.now.bind(Date);

/** mocha makes one with `new` for each run. */
export default function LogReporter(runner, { reporterOption }) {
  const total = { passed: 0, failed: 0 };
  /** Tests by the labels that their titles begin with, such as F1 or F3, F4. */
  const labels = new Map();
  const label = ({ title }, isPassed) => {
    for (const [name] of title.match(/^[A-Z]\d+(, [A-Z]\d+)*(?=:)/)?.[0].matchAll(/[A-Z]\d+/g) ?? []) {
      const { passed, failed } = labels.get(name) ?? { passed: 0, failed: 0 };
      labels.set(name, isPassed ? { passed: passed + 1, failed } : { passed, failed: failed + 1 });
    }
  };
  let group = { passed: 0, failed: 0, begin: 0 };
  let running;
  let timer;
  const begin = ({ title }) => {
    running = { title, begin: now() };
  };
  const end = () => {
    running = undefined;
  };

  runner.on(EVENT_RUN_BEGIN, () => {
    timer = setInterval(() => {
      if (running !== undefined) say(`… ${running.title}, ${seconds(now() - running.begin)}`);
    }, PROGRESS_MS);
    timer.unref();
  });
  runner.on(EVENT_HOOK_BEGIN, begin);
  runner.on(EVENT_HOOK_END, end);
  runner.on(EVENT_TEST_BEGIN, begin);
  runner.on(EVENT_SUITE_BEGIN, (suite) => {
    if (isGroup(suite)) group = { passed: 0, failed: 0, begin: now() };
  });
  runner.on(EVENT_TEST_PASS, (test) => {
    const { title, duration } = test;
    end();
    label(test, true);
    total.passed++;
    group.passed++;
    if (duration > LONG_MS) say(`✓ ${title}, ${seconds(duration)}`);
  });
  runner.on(EVENT_TEST_FAIL, (failed, error) => {
    end();
    label(failed, false);
    total.failed++;
    group.failed++;
    say(`✗ ${failed.fullTitle()}\n${indent(describeError(error))}`);
  });
  runner.on(EVENT_SUITE_END, (suite) => {
    if (!isGroup(suite)) return;
    const failed = group.failed > 0 ? `, ${group.failed} failed` : "";
    const mark = group.failed > 0 ? "✗" : "✓";
    say(`${mark} ${suite.title}: ${group.passed} passed${failed}, ${seconds(now() - group.begin)}`);
  });
  runner.on(EVENT_RUN_END, () => {
    clearInterval(timer);
    const byNumber = [...labels].sort(([a], [b]) => a.localeCompare(b, "en", { numeric: true }));
    for (const [name, { passed, failed }] of byNumber)
      say(`${name.padEnd(4)} ${passed} passed, ${failed} failed`);
    const names = byNumber.map(([name]) => name);
    writeFileSync(reporterOption.results, JSON.stringify({ ...total, labels: names }));
  });
}

/** The outermost `describe` of a file. */
function isGroup(suite) {
  return suite.parent?.root === true;
}

function describeError(error) {
  const text = error.stack ?? `${error.message ?? error}`;
  const { expected, actual } = error;
  if (expected === undefined || error.showDiff === false) return text;
  return text + Mocha.reporters.Base.generateDiff(sorted(actual), sorted(expected));
}

/** A form in which equal values give equal lines. */
function sorted(value) {
  return inspect(value, { depth: 8, sorted: true, maxArrayLength: 1000, breakLength: 1 });
}

function indent(text) {
  return text.replace(/^/gm, "    ");
}

function say(text) {
  process.stdout.write(`  ${text}\n`);
}

function seconds(ms) {
  return `${(ms / 1000).toFixed(1)} s`;
}
