# scripts/local.mk - what people run.
EXTRA_DIST += scripts/README.md scripts/check scripts/demo scripts/fuzz scripts/lib/build.sh scripts/lib/packages.sh .ci/run
EXTRA_DIST += scripts/bench scripts/check scripts/demo scripts/lib/build.sh scripts/lib/packages.sh .ci/run
