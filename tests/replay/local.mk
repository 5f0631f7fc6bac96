# tests/replay/local.mk - dialogues played to the milter, and the records that come of them: a case is its folder.
TESTS += tests/check_replay
EXTRA_DIST += tests/check_replay tests/replay
