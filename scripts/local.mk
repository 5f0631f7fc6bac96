# scripts/local.mk - what people run.
EXTRA_DIST +=
