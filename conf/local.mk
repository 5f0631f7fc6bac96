# conf/local.mk - sample configuration, MTA snippets, service files.
EXTRA_DIST +=
