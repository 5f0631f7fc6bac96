# tests/replay/local.mk - dialogues played to the milter, and the records that come of them: a case is its folder.
TESTS += tests/check_replay tests/check_formats tests/check_joins tests/check_questions tests/check_hostile tests/check_store_answers tests/check_report_facts tests/check_export tests/check_completion
EXTRA_DIST += tests/check_replay tests/check_formats tests/check_joins tests/check_questions tests/check_hostile tests/check_store_answers tests/check_report_facts tests/check_export tests/check_completion tests/zsh_offers tests/replay
