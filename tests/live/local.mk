# tests/live/local.mk - against a private Postfix, Redis and the milter (lab.py); part of make check-live.
LIVE_TEST_FILES += tests/live/test_lab.py tests/live/test_postfix.py tests/live/test_outage.py
EXTRA_DIST += tests/live/demo.py tests/live/expected.py tests/live/lab.py tests/live/smtp_client.py tests/live/transactions.py
