# scripts/local.mk - what people run.
EXTRA_DIST += scripts/lib/packages.sh
