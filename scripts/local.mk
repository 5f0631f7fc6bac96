# scripts/local.mk - what people run.
EXTRA_DIST += scripts/README.md scripts/bench scripts/check scripts/demo scripts/faults scripts/fuzz .ci/run \
	scripts/lib/build.sh scripts/lib/failures.sh scripts/lib/packages.sh
