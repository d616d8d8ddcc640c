#!/bin/sh
# Runs compiled tests, given as patterns relative to the package, and leaves the counts in /run/results.json.
cd /package || exit 1
# Of the reads that the suites do on a machine that is not emulated.
export WORK_PERCENT=25
exec node --enable-source-maps node_modules/mocha/bin/mocha.js --no-color \
  --reporter .ci/reporter.mjs --reporter-option results=/run/results.json $*
