/* test_formats.c - every kind of line that two or more of the public logs have, and hostile ones: fields by hand. */
#include <stdlib.h>

#include "analysis/format.h"
#include "analysis/log_reader.h"
#include "unit.h"

/* A message of a process, and the kind and fields that it must give: "kind|name=value|...". */
struct format_case {
	const char *process, *message, *wanted;
};

static const struct format_case postfix_cases[] = {
	{ "postfix/qmgr", "3A5F2C01E2: from=<a@example.com>, size=1234, nrcpt=2 (queue active)",
	  "queued|queue_id=3A5F2C01E2|from=a@example.com|size=1234|recipients=2|queue=active" },
	{ "postfix/qmgr", "3A5F2C01E2: from=<>, size=1234, nrcpt=1 (queue active)",
	  "queued|queue_id=3A5F2C01E2|from=|size=1234|recipients=1|queue=active" },
	{ "postfix/qmgr", "4bYf6o31Hkz57Df: from=<\"x> y\"@example.com>, size=1, nrcpt=1 (queue incoming)",
	  "queued|queue_id=4bYf6o31Hkz57Df|from=\"x> y\"@example.com|size=1|recipients=1|queue=incoming" },
	{ "postfix/qmgr", "KLMNOPQRST: from=a@example.com, size=9, nrcpt=1 (queue active)",
	  "queued|queue_id=KLMNOPQRST|from=a@example.com|size=9|recipients=1|queue=active" },
	{ "postfix/qmgr", "3A5F2C01E2: from=<a@example.com>, size=5790, nrcpt=",
	  "queued (cut)|queue_id=3A5F2C01E2|from=a@example.com|size=5790" },
	{ "postfix/qmgr", "1234567890: removed",
	  "removed|queue_id=1234567890" },
	{ "postfix/qmgr", "3A5F2C01E2: from=<a@example.com>, status=expired, returned to sender",
	  "expired|queue_id=3A5F2C01E2|from=a@example.com|status=expired" },
	{ "postfix/qmgr", "3A5F2C01E2: from=<a@example.com>, status=force-expired, returned to sender",
	  "expired|queue_id=3A5F2C01E2|from=a@example.com|status=force-expired" },
	{ "postfix/qmgr", "3A5F2C01E2: skipped, still being delivered",
	  "skipped|queue_id=3A5F2C01E2|reason=still being delivered" },
	{ "postfix/qmgr", "warning: lots of deferred mail, that is bad for performance",
	  "queue_congested|severity=warning" },
	{ "postfix/qmgr", "warning: please avoid flushing the whole queue when you have",
	  "queue_advice|severity=warning" },
	{ "postfix/qmgr", "warning: bounce_queue_lifetime is larger than maximal_queue_lifetime - adjusting bounce_queue_lifetime",
	  "setting_adjusted|severity=warning|setting=bounce_queue_lifetime|other_setting=maximal_queue_lifetime|adjusted_setting=bounce_queue_lifetime" },
	{ "postfix/cleanup", "3A5F2C01E2: message-id=<m@example.com>",
	  "message_id|queue_id=3A5F2C01E2|message_id=<m@example.com>" },
	{ "postfix/cleanup", "3A5F2C01E2: message-id=",
	  "message_id|queue_id=3A5F2C01E2|message_id=" },
	{ "postfix/cleanup", "3A5F2C01E2: resent-message-id=<m@example.com>",
	  "message_id|queue_id=3A5F2C01E2|resent_message_id=<m@example.com>" },
	{ "postfix/cleanup", "3A5F2C01E2: info: header Subject: hello world from mx.example.com[192.0.2.1]; from=<a@example.com> to=<b@example.com> proto=ESMTP helo=<mx.example.com>",
	  "header_check|queue_id=3A5F2C01E2|action=info|section=header|header_name=Subject|header=hello world|client_name=mx.example.com|client_addr=192.0.2.1|from=a@example.com|to=b@example.com|protocol=ESMTP|helo=mx.example.com" },
	{ "postfix/cleanup", "3A5F2C01E2: info: header Subject: hello from local; from=<a@example.com> to=<b@example.com>",
	  "header_check|queue_id=3A5F2C01E2|action=info|section=header|header_name=Subject|header=hello|client_name=local|from=a@example.com|to=b@example.com" },
	{ "postfix/cleanup", "3A5F2C01E2: replace: header Received: by x from mx[192.0.2.1]; from=<a@example.com> to=<b@example.com> proto=ESMTP helo=<mx>: Received: by y",
	  "header_check|queue_id=3A5F2C01E2|action=replace|section=header|header_name=Received|header=by x|client_name=mx|client_addr=192.0.2.1|from=a@example.com|to=b@example.com|protocol=ESMTP|helo=mx|replacement=Received: by y" },
	{ "postfix/cleanup", "3A5F2C01E2: replace: header Received: by x",
	  "header_check|queue_id=3A5F2C01E2|action=replace|section=header|header_name=Received|header=by x" },
	{ "postfix/cleanup", "3A5F2C01E2: prepend: header From: a from mx[192.0.2.1]; from=<a@example.com> to=<b@example.com> proto=ESMTP helo=<mx>: X-Mark: yes",
	  "header_check|queue_id=3A5F2C01E2|action=prepend|section=header|header_name=From|header=a|client_name=mx|client_addr=192.0.2.1|from=a@example.com|to=b@example.com|protocol=ESMTP|helo=mx|prepended=X-Mark: yes" },
	{ "postfix/cleanup", "3A5F2C01E2: warning: header Subject: x from mx[192.0.2.1]; from=<a@example.com> to=<b@example.com> proto=ESMTP helo=<mx>",
	  "header_check|queue_id=3A5F2C01E2|action=warning|section=header|header_name=Subject|header=x|client_name=mx|client_addr=192.0.2.1|from=a@example.com|to=b@example.com|protocol=ESMTP|helo=mx" },
	{ "postfix/cleanup", "3A5F2C01E2: warning: header Subject: x from local; from=<a@example.com>",
	  "header_check|queue_id=3A5F2C01E2|action=warning|section=header|header_name=Subject|header=x|client_name=local|from=a@example.com" },
	{ "postfix/cleanup", "3A5F2C01E2: reject: header Subject: x from mx[192.0.2.1]; from=<a@example.com> to=<b@example.com> proto=ESMTP helo=<mx>: 5.7.1 go away",
	  "header_check|queue_id=3A5F2C01E2|action=reject|section=header|header_name=Subject|header=x|client_name=mx|client_addr=192.0.2.1|from=a@example.com|to=b@example.com|protocol=ESMTP|helo=mx|reply=5.7.1 go away" },
	{ "postfix/cleanup", "3A5F2C01E2: discard: body buy this from mx[192.0.2.1]; from=<a@example.com> to=<b@example.com> proto=ESMTP helo=<mx>",
	  "header_check|queue_id=3A5F2C01E2|action=discard|section=body|body_line=buy this|client_name=mx|client_addr=192.0.2.1|from=a@example.com|to=b@example.com|protocol=ESMTP|helo=mx" },
	{ "postfix/cleanup", "3A5F2C01E2: hold: mime header Content-Type: a/b from mx[192.0.2.1]; from=<a@example.com> to=<b@example.com> proto=ESMTP helo=<mx>",
	  "header_check|queue_id=3A5F2C01E2|action=hold|section=mime header|header_name=Content-Type|header=a/b|client_name=mx|client_addr=192.0.2.1|from=a@example.com|to=b@example.com|protocol=ESMTP|helo=mx" },
	{ "postfix/cleanup", "3A5F2C01E2: milter-header-redirect: header X-Spam: yes from mx[192.0.2.1]; from=<a@example.com> to=<b@example.com> proto=ESMTP helo=<mx>: c@example.com",
	  "header_check|queue_id=3A5F2C01E2|action=milter-header-redirect|section=header|header_name=X-Spam|header=yes|client_name=mx|client_addr=192.0.2.1|from=a@example.com|to=b@example.com|protocol=ESMTP|helo=mx|redirect_to=c@example.com" },
	{ "postfix/cleanup", "3A5F2C01E2: milter-reject: END-OF-MESSAGE from mx[192.0.2.1]: 5.7.1 Spam message rejected; from=<a@example.com> to=<b@example.com> proto=ESMTP helo=<mx>",
	  "reject|queue_id=3A5F2C01E2|action=milter-reject|stage=END-OF-MESSAGE|client_name=mx|client_addr=192.0.2.1|reply=5.7.1 Spam message rejected|from=a@example.com|to=b@example.com|protocol=ESMTP|helo=mx" },
	{ "postfix/cleanup", "3A5F2C01E2: milter-hold: END-OF-MESSAGE from mx[192.0.2.1]: milter triggers HOLD action; from=<a@example.com> to=<b@example.com> proto=ESMTP helo=<mx>",
	  "hold|queue_id=3A5F2C01E2|action=milter-hold|stage=END-OF-MESSAGE|client_name=mx|client_addr=192.0.2.1|reply=milter triggers HOLD action|from=a@example.com|to=b@example.com|protocol=ESMTP|helo=mx" },
	{ "postfix/cleanup", "3A5F2C01E2: milter-discard: END-OF-MESSAGE from mx[192.0.2.1]: milter triggers DISCARD action; from=<a@example.com> to=<b@example.com> proto=ESMTP helo=<mx>",
	  "discard|queue_id=3A5F2C01E2|action=milter-discard|stage=END-OF-MESSAGE|client_name=mx|client_addr=192.0.2.1|reply=milter triggers DISCARD action|from=a@example.com|to=b@example.com|protocol=ESMTP|helo=mx" },
	{ "postfix/cleanup", "warning: 3A5F2C01E2: sender_canonical_maps map lookup problem for a@example.com -- message not accepted, try again later",
	  "canonical_failed|severity=warning|queue_id=3A5F2C01E2|map=sender_canonical_maps|address=a@example.com|consequence=message not accepted, try again later" },
	{ "postfix/cleanup", "warning: dict_ldap_get_values[1]: DN uid=a,ou=people,dc=b not found, skipping",
	  "ldap_warning|severity=warning|function=get_values|recursion=1|dn=uid=a,ou=people,dc=b" },
	{ "postfix/cleanup", "warning: mx[192.0.2.1]: SASL LOGIN authentication failed: UGFzc3dvcmQ6",
	  "auth_failed|severity=warning|client_name=mx|client_addr=192.0.2.1|auth_type=LOGIN|reason=UGFzc3dvcmQ6" },
	{ "postfix/pickup", "3A5F2C01E2: uid=1000 from=<root>",
	  "pickup|queue_id=3A5F2C01E2|uid=1000|from=root" },
	{ "postfix/bounce", "3A5F2C01E2: sender non-delivery notification: 4B6A3D12F3",
	  "bounce|queue_id=3A5F2C01E2|notification=sender non-delivery notification|bounce_queue_id=4B6A3D12F3" },
	{ "postfix/bounce", "3A5F2C01E2: postmaster non-delivery notification: 4B6A3D12F3",
	  "bounce|queue_id=3A5F2C01E2|notification=postmaster non-delivery notification|bounce_queue_id=4B6A3D12F3" },
	{ "postfix/bounce", "3A5F2C01E2: sender delay notification: 4B6A3D12F3",
	  "bounce|queue_id=3A5F2C01E2|notification=sender delay notification|bounce_queue_id=4B6A3D12F3" },
	{ "postfix/bounce", "3A5F2C01E2: sender delivery status notification: 4B6A3D12F3",
	  "bounce|queue_id=3A5F2C01E2|notification=sender delivery status notification|bounce_queue_id=4B6A3D12F3" },
	{ "postfix/bounce", "fatal: lock file defer 3A5F2C01E2: Resource temporarily unavailable",
	  "lock_failed|severity=fatal|queue=defer|queue_id=3A5F2C01E2|error=Resource temporarily unavailable" },
	{ "postfix/smtp", "3A5F2C01E2: to=<b@example.com>, relay=mx.example.com[192.0.2.2]:25, delay=1.2, delays=0.1/0.01/0.5/0.6, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as 4B6A3D12F3)",
	  "delivery|queue_id=3A5F2C01E2|to=b@example.com|relay_name=mx.example.com|relay_addr=192.0.2.2|relay_port=25|delay=1.2|delay_before=0.1|delay_queue=0.01|delay_connection=0.5|delay_transfer=0.6|dsn=2.0.0|status=sent|reply=250 2.0.0 Ok: queued as 4B6A3D12F3" },
	{ "postfix/smtp", "3A5F2C01E2: to=<b@example.com>, relay=none, delay=30, delays=0.1/0.01/30/0, dsn=4.4.1, status=deferred (connect to mx.example.com[192.0.2.2]:25: Connection timed out)",
	  "delivery|queue_id=3A5F2C01E2|to=b@example.com|relay_name=none|delay=30|delay_before=0.1|delay_queue=0.01|delay_connection=30|delay_transfer=0|dsn=4.4.1|status=deferred|reply=connect to mx.example.com[192.0.2.2]:25: Connection timed out" },
	{ "postfix/smtp", "3A5F2C01E2: to=<b@example.com>, relay=mx[2001:db8::1]:25, conn_use=2, delay=1, delays=0/0/0/1, dsn=4.2.0, status=deferred (host mx[2001:db8::1] said: 450 4.2.0 <b@example.com>: Greylisted (in reply to RCPT TO command))",
	  "delivery|queue_id=3A5F2C01E2|to=b@example.com|relay_name=mx|relay_addr=2001:db8::1|relay_port=25|connection_use=2|delay=1|delay_before=0|delay_queue=0|delay_connection=0|delay_transfer=1|dsn=4.2.0|status=deferred|reply=host mx[2001:db8::1] said: 450 4.2.0 <b@example.com>: Greylisted (in reply to RCPT TO command)" },
	{ "postfix/smtp", "3A5F2C01E2: to=<b@example.com>, orig_to=<c@example.com>, relay=none, delay=1, delays=0/0/1/0, dsn=5.4.4, status=bounced (Host or domain name not found. Name service error for name=example.com type=A: Host not found)",
	  "delivery|queue_id=3A5F2C01E2|to=b@example.com|orig_to=c@example.com|relay_name=none|delay=1|delay_before=0|delay_queue=0|delay_connection=1|delay_transfer=0|dsn=5.4.4|status=bounced|reply=Host or domain name not found. Name service error for name=example.com type=A: Host not found" },
	{ "postfix/smtp", "3A5F2C01E2: to=<b@example.com>, relay=mx[192.0.2.2]:25, delay=1, delays=0/0/1/0, dsn=5.1.1, status=bounced (host mx[192.0.2.2] said: 550 5.1.1 <b@example.com>: User unknown (in reply to RCPT TO command))",
	  "delivery|queue_id=3A5F2C01E2|to=b@example.com|relay_name=mx|relay_addr=192.0.2.2|relay_port=25|delay=1|delay_before=0|delay_queue=0|delay_connection=1|delay_transfer=0|dsn=5.1.1|status=bounced|reply=host mx[192.0.2.2] said: 550 5.1.1 <b@example.com>: User unknown (in reply to RCPT TO command)" },
	{ "postfix/smtp", "3A5F2C01E2: to=<b@example.com>, relay=mx[192.0.2.2], delay=1, status=sent (250 ok)",
	  "delivery|queue_id=3A5F2C01E2|to=b@example.com|relay_name=mx|relay_addr=192.0.2.2|delay=1|status=sent|reply=250 ok" },
	{ "postfix/smtp", "3A5F2C01E2: to=<b@example.com>, orig_to=<c@example.com>, relay=mx[192.0.2.2], delay=1, status=sent (250 ok)",
	  "delivery|queue_id=3A5F2C01E2|to=b@example.com|orig_to=c@example.com|relay_name=mx|relay_addr=192.0.2.2|delay=1|status=sent|reply=250 ok" },
	{ "postfix/smtp", "3A5F2C01E2: to=<b@example.com>, relay=none, delay=1, status=bounced (x)",
	  "delivery|queue_id=3A5F2C01E2|to=b@example.com|relay_name=none|delay=1|status=bounced|reply=x" },
	{ "postfix/smtp", "3A5F2C01E2: to=b@example.com, relay=mx[192.0.2.2]:25, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 ok)",
	  "delivery|queue_id=3A5F2C01E2|to=b@example.com|relay_name=mx|relay_addr=192.0.2.2|relay_port=25|delay=1|delay_before=0|delay_queue=0|delay_connection=0|delay_transfer=1|dsn=2.0.0|status=sent|reply=250 ok" },
	{ "postfix/smtp", "3A5F2C01E2: to=<b@example.com>, relay=mx[192.0.2.2]:25, delay=1, delays=0/0/0/1, dsn=2.1.5, status=deliverable (250 ok)",
	  "delivery|queue_id=3A5F2C01E2|to=b@example.com|relay_name=mx|relay_addr=192.0.2.2|relay_port=25|delay=1|delay_before=0|delay_queue=0|delay_connection=0|delay_transfer=1|dsn=2.1.5|status=deliverable|reply=250 ok" },
	{ "postfix/smtp", "3A5F2C01E2: to=<b@example.com>, relay=mx[192.0.2.2]:25, delay=1, delays=0/0/0/1, tls=dane/!requiretls:nocertmatch, dsn=2.0.0, status=sent (250 ok)",
	  "delivery|queue_id=3A5F2C01E2|to=b@example.com|relay_name=mx|relay_addr=192.0.2.2|relay_port=25|delay=1|delay_before=0|delay_queue=0|delay_connection=0|delay_transfer=1|tls_level=dane/!requiretls:nocertmatch|dsn=2.0.0|status=sent|reply=250 ok" },
	{ "postfix/smtp", "3A5F2C01E2: to=<b@example.com>, orig_to=<c@example.com>, r",
	  "delivery (cut)|queue_id=3A5F2C01E2|to=b@example.com|orig_to=c@example.com" },
	{ "postfix/lmtp", "3A5F2C01E2: to=<b@example.com>, relay=mx[private/dovecot-lmtp], delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 2.0.0 <b@example.com> abc Saved)",
	  "delivery|queue_id=3A5F2C01E2|to=b@example.com|relay_name=mx|relay_addr=private/dovecot-lmtp|delay=1|delay_before=0|delay_queue=0|delay_connection=0|delay_transfer=1|dsn=2.0.0|status=sent|reply=250 2.0.0 <b@example.com> abc Saved" },
	{ "postfix/lmtp", "3A5F2C01E2: to=<b@example.com>, orig_to=<c@example.com>, relay=mx[/var/run/lmtp], delay=1, delays=0/0/0/1, dsn=5.7.1, status=bounced (x (y))",
	  "delivery|queue_id=3A5F2C01E2|to=b@example.com|orig_to=c@example.com|relay_name=mx|relay_addr=/var/run/lmtp|delay=1|delay_before=0|delay_queue=0|delay_connection=0|delay_transfer=1|dsn=5.7.1|status=bounced|reply=x (y)" },
	{ "postfix/lmtp", "3A5F2C01E2: to=<b@example.com>, relay=127.0.0.1[127.0.0.1]:10024, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 2.0.0 from MTA(smtp:[127.0.0.1]:10025): 250 2.0.0 Ok: queued as 4B6A3D12F3)",
	  "delivery|queue_id=3A5F2C01E2|to=b@example.com|relay_name=127.0.0.1|relay_addr=127.0.0.1|relay_port=10024|delay=1|delay_before=0|delay_queue=0|delay_connection=0|delay_transfer=1|dsn=2.0.0|status=sent|reply=250 2.0.0 from MTA(smtp:[127.0.0.1]:10025): 250 2.0.0 Ok: queued as 4B6A3D12F3" },
	{ "postfix/smtp", "3A5F2C01E2: to=<b@example.com>, relay=127.0.0.1:2525, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 ok)",
	  "delivery|queue_id=3A5F2C01E2|to=b@example.com|relay_name=127.0.0.1|relay_port=2525|delay=1|delay_before=0|delay_queue=0|delay_connection=0|delay_transfer=1|dsn=2.0.0|status=sent|reply=250 ok" },
	{ "postfix/local", "3A5F2C01E2: to=<b@example.com>, relay=local, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (delivered to mailbox)",
	  "delivery|queue_id=3A5F2C01E2|to=b@example.com|relay_name=local|delay=1|delay_before=0|delay_queue=0|delay_connection=0|delay_transfer=1|dsn=2.0.0|status=sent|reply=delivered to mailbox" },
	{ "postfix/local", "3A5F2C01E2: to=b@example.com, orig_to=root, relay=local, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (delivered to mailbox)",
	  "delivery|queue_id=3A5F2C01E2|to=b@example.com|orig_to=root|relay_name=local|delay=1|delay_before=0|delay_queue=0|delay_connection=0|delay_transfer=1|dsn=2.0.0|status=sent|reply=delivered to mailbox" },
	{ "postfix/virtual", "3A5F2C01E2: to=<b@example.com>, relay=virtual, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (delivered to maildir)",
	  "delivery|queue_id=3A5F2C01E2|to=b@example.com|relay_name=virtual|delay=1|delay_before=0|delay_queue=0|delay_connection=0|delay_transfer=1|dsn=2.0.0|status=sent|reply=delivered to maildir" },
	{ "postfix/pipe", "3A5F2C01E2: to=<b@example.com>, relay=spamassassin, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (delivered via spamassassin service)",
	  "delivery|queue_id=3A5F2C01E2|to=b@example.com|relay_name=spamassassin|delay=1|delay_before=0|delay_queue=0|delay_connection=0|delay_transfer=1|dsn=2.0.0|status=sent|reply=delivered via spamassassin service" },
	{ "postfix/error", "3A5F2C01E2: to=<b@example.com>, relay=none, delay=1, delays=0/0/0/1, dsn=5.1.1, status=undeliverable-but-not-cached (x)",
	  "delivery|queue_id=3A5F2C01E2|to=b@example.com|relay_name=none|delay=1|delay_before=0|delay_queue=0|delay_connection=0|delay_transfer=1|dsn=5.1.1|status=undeliverable-but-not-cached|reply=x" },
	{ "postfix/discard", "3A5F2C01E2: to=<b@example.com>, relay=none, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (x)",
	  "delivery|queue_id=3A5F2C01E2|to=b@example.com|relay_name=none|delay=1|delay_before=0|delay_queue=0|delay_connection=0|delay_transfer=1|dsn=2.0.0|status=sent|reply=x" },
	{ "postfix/smtp", "3A5F2C01E2: to=<b@example.com>, relay=mx[192.0.2.2]:25, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 a line that syslog cut: queued",
	  "delivery|queue_id=3A5F2C01E2|to=b@example.com|relay_name=mx|relay_addr=192.0.2.2|relay_port=25|delay=1|delay_before=0|delay_queue=0|delay_connection=0|delay_transfer=1|dsn=2.0.0|status=sent|reply=250 a line that syslog cut: queued" },
	{ "postfix/smtp", "3A5F2C01E2: host mx.example.com[192.0.2.2] said: 450 4.2.0 <b@example.com>: Greylisted (in reply to RCPT TO command)",
	  "host_said|queue_id=3A5F2C01E2|server_name=mx.example.com|server_addr=192.0.2.2|reply=450 4.2.0 <b@example.com>: Greylisted|stage=RCPT TO" },
	{ "postfix/smtp", "3A5F2C01E2: host mx.example.com[192.0.2.2] said: 450 busy",
	  "host_said|queue_id=3A5F2C01E2|server_name=mx.example.com|server_addr=192.0.2.2|reply=450 busy" },
	{ "postfix/smtp", "3A5F2C01E2: host mx.example.com[192.0.2.2] refused to talk to me: 421 4.7.0 too many connections",
	  "host_refused|queue_id=3A5F2C01E2|server_name=mx.example.com|server_addr=192.0.2.2|reply=421 4.7.0 too many connections" },
	{ "postfix/smtp", "connect to mx.example.com[192.0.2.2]:25: Connection timed out",
	  "connect_failed|server_name=mx.example.com|server_addr=192.0.2.2|server_port=25|error=Connection timed out" },
	{ "postfix/smtp", "connect to mx.example.com[2001:db8::1]:25: Network is unreachable",
	  "connect_failed|server_name=mx.example.com|server_addr=2001:db8::1|server_port=25|error=Network is unreachable" },
	{ "postfix/smtp", "connect to mx.example.com[192.0.2.2]: Connection refused (port 25)",
	  "connect_failed|server_name=mx.example.com|server_addr=192.0.2.2|error=Connection refused|server_port=25" },
	{ "postfix/smtp", "Trusted TLS connection established to mx.example.com[192.0.2.2]:25: TLSv1.2 with cipher ECDHE-RSA-AES256-GCM-SHA384 (256/256 bits)",
	  "tls|tls_trust=Trusted|server_name=mx.example.com|server_addr=192.0.2.2|server_port=25|tls_version=TLSv1.2|cipher=ECDHE-RSA-AES256-GCM-SHA384|cipher_bits=256|cipher_algorithm_bits=256" },
	{ "postfix/smtp", "Untrusted TLS connection established to mx.example.com[192.0.2.2]:25: TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits) key-exchange X25519 server-signature RSA-PSS (2048 bits) server-digest SHA256",
	  "tls|tls_trust=Untrusted|server_name=mx.example.com|server_addr=192.0.2.2|server_port=25|tls_version=TLSv1.3|cipher=TLS_AES_256_GCM_SHA384|cipher_bits=256|cipher_algorithm_bits=256|key_exchange=X25519|server_signature=RSA-PSS|server_signature_bits=2048|server_digest=SHA256" },
	{ "postfix/smtp", "Verified TLS connection established to mx.example.com[192.0.2.2]:25: TLSv1 with cipher AES256-SHA (256/256 bits)",
	  "tls|tls_trust=Verified|server_name=mx.example.com|server_addr=192.0.2.2|server_port=25|tls_version=TLSv1|cipher=AES256-SHA|cipher_bits=256|cipher_algorithm_bits=256" },
	{ "postfix/smtp", "3A5F2C01E2: enabling PIX workarounds: disable_esmtp delay_dotcrlf for mx.example.com[192.0.2.2]:25",
	  "pix_workaround|queue_id=3A5F2C01E2|workarounds=disable_esmtp delay_dotcrlf|server_name=mx.example.com|server_addr=192.0.2.2|server_port=25" },
	{ "postfix/smtp", "3A5F2C01E2: lost connection with mx.example.com[192.0.2.2] while sending RCPT TO",
	  "server_lost|queue_id=3A5F2C01E2|server_name=mx.example.com|server_addr=192.0.2.2|stage=sending RCPT TO" },
	{ "postfix/smtp", "3A5F2C01E2: lost connection with mx.example.com[192.0.2.2] while performing the HELO handshake",
	  "server_lost|queue_id=3A5F2C01E2|server_name=mx.example.com|server_addr=192.0.2.2|stage=performing the HELO handshake" },
	{ "postfix/smtp", "3A5F2C01E2: lost connection with mx.example.com[192.0.2.2] while sending end of data -- message may be sent more than once",
	  "server_lost|queue_id=3A5F2C01E2|server_name=mx.example.com|server_addr=192.0.2.2|stage=sending end of data" },
	{ "postfix/smtp", "3A5F2C01E2: conversation with mx.example.com[192.0.2.2] timed out while receiving the initial server greeting",
	  "server_timeout|queue_id=3A5F2C01E2|server_name=mx.example.com|server_addr=192.0.2.2|stage=receiving the initial server greeting" },
	{ "postfix/smtp", "3A5F2C01E2: SASL authentication failed; server mx.example.com[192.0.2.2] said: 535 5.7.8 Error: authentication failed: authentication failure",
	  "server_auth_failed|queue_id=3A5F2C01E2|server_name=mx.example.com|server_addr=192.0.2.2|reply=535 5.7.8 Error: authentication failed: authentication failure" },
	{ "postfix/smtp", "3A5F2C01E2: Used TLS for mx.example.com[192.0.2.2]:25",
	  "tls_used|queue_id=3A5F2C01E2|server_name=mx.example.com|server_addr=192.0.2.2|server_port=25" },
	{ "postfix/smtp", "discarding EHLO keywords: CHUNKING",
	  "ehlo_discarded|keywords=CHUNKING" },
	{ "postfix/smtp", "warning: TLS library problem: error:14094410:SSL routines:ssl3_read_bytes:sslv3 alert handshake failure:s3_pkt.c:1493:",
	  "tls_library|severity=warning|error_code=14094410|library=SSL routines|function=ssl3_read_bytes|error=sslv3 alert handshake failure|source_file=s3_pkt.c|source_line=1493" },
	{ "postfix/smtp", "warning: TLS policy lookup for example.com/mx.example.com: non DNSSEC destination",
	  "tls_policy|severity=warning|next_hop=example.com|server_name=mx.example.com|reason=non DNSSEC destination" },
	{ "postfix/smtp", "warning: no MX host for example.com has a valid address record",
	  "mx_invalid|severity=warning|domain=example.com" },
	{ "postfix/smtp", "warning: malformed domain name in resource data of MX record for example.com:",
	  "mx_invalid|severity=warning|domain=example.com" },
	{ "postfix/smtp", "warning: numeric domain name in resource data of MX record for example.com: 192.0.2.1",
	  "mx_invalid|severity=warning|domain=example.com|value=192.0.2.1" },
	{ "postfix/smtp", "warning: valid_hostname: empty hostname",
	  "hostname_invalid|severity=warning|reason=empty hostname" },
	{ "postfix/smtp", "warning: 3A5F2C01E2: defer service failure",
	  "service_failed|severity=warning|queue_id=3A5F2C01E2|service=defer" },
	{ "postfix/smtp", "warning: problem talking to service private/scache: Connection timed out",
	  "service_failed|severity=warning|service=private/scache|error=Connection timed out" },
	{ "postfix/smtp", "fatal: unknown service: smtp/tcp",
	  "service_unknown|severity=fatal|service=smtp/tcp" },
	{ "postfix/smtp", "SSL_connect error to mx.example.com[192.0.2.2]:25: lost connection",
	  "tls_error|server_name=mx.example.com|server_addr=192.0.2.2|server_port=25|error=lost connection" },
	{ "postfix/smtp", "certificate verification failed for mx.example.com[192.0.2.2]:25: self-signed certificate.",
	  "certificate_failed|server_name=mx.example.com|server_addr=192.0.2.2|server_port=25|reason=self-signed certificate." },
	{ "postfix/smtpd", "connect from mx.example.com[192.0.2.1]",
	  "connect|client_name=mx.example.com|client_addr=192.0.2.1" },
	{ "postfix/smtpd", "connect from unknown[unknown]",
	  "connect|client_name=unknown|client_addr=unknown" },
	{ "postfix/smtpd", "connect from localhost[::1]:4321",
	  "connect|client_name=localhost|client_addr=::1|client_port=4321" },
	{ "postfix/smtpd", "disconnect from mx.example.com[192.0.2.1]",
	  "disconnect|client_name=mx.example.com|client_addr=192.0.2.1" },
	{ "postfix/smtpd", "disconnect from mx.example.com[192.0.2.1] ehlo=2 starttls=1 mail=1 rcpt=0/1 quit=1 commands=5/6",
	  "disconnect|client_name=mx.example.com|client_addr=192.0.2.1|count_ehlo=2|count_starttls=1|count_mail=1|count_rcpt=0/1|count_quit=1|count_commands=5/6" },
	{ "postfix/smtpd", "disconnect from unknown[unknown] commands=0/0",
	  "disconnect|client_name=unknown|client_addr=unknown|count_commands=0/0" },
	{ "postfix/smtpd", "3A5F2C01E2: client=mx.example.com[192.0.2.1]",
	  "client|queue_id=3A5F2C01E2|client_name=mx.example.com|client_addr=192.0.2.1" },
	{ "postfix/smtpd", "3A5F2C01E2: client=mx.example.com[192.0.2.1]:4321, sasl_method=PLAIN, sasl_username=a, b@example.com",
	  "client|queue_id=3A5F2C01E2|client_name=mx.example.com|client_addr=192.0.2.1|client_port=4321|auth_type=PLAIN|auth_authen=a, b@example.com" },
	{ "postfix/smtpd", "3A5F2C01E2: client=mx.example.com[192.0.2.1], sasl_method=PLAIN, sasl_username=a, sasl_sender=b",
	  "client|queue_id=3A5F2C01E2|client_name=mx.example.com|client_addr=192.0.2.1|auth_type=PLAIN|auth_authen=a|auth_author=b" },
	{ "postfix/smtpd", "3A5F2C01E2: client=localhost[127.0.0.1], orig_client=mx.example.com[192.0.2.1]",
	  "client|queue_id=3A5F2C01E2|client_name=localhost|client_addr=127.0.0.1|orig_client_name=mx.example.com|orig_client_addr=192.0.2.1" },
	{ "postfix/smtpd", "3A5F2C01E2: client=localhost[127.0.0.1]:50001, orig_client=mx.example.com[192.0.2.1]:40001, sasl_username=u",
	  "client|queue_id=3A5F2C01E2|client_name=localhost|client_addr=127.0.0.1|client_port=50001|orig_client_name=mx.example.com|orig_client_addr=192.0.2.1|orig_client_port=40001|auth_authen=u" },
	{ "postfix/smtpd", "3A5F2C01E2: client=localhost[127.0.0.1], orig_queue_id=4B6A3D12F3, orig_client=mx.example.com[192.0.2.1]",
	  "client|queue_id=3A5F2C01E2|client_name=localhost|client_addr=127.0.0.1|orig_queue_id=4B6A3D12F3|orig_client_name=mx.example.com|orig_client_addr=192.0.2.1" },
	{ "postfix/smtpd", "3A5F2C01E2: client=localhost[127.0.0.1], orig_queue_id=4B6A3D12F3, orig_client=mx.example.com[192.0.2.1]:4321, sasl_method=PLAIN, sasl_username=user",
	  "client|queue_id=3A5F2C01E2|client_name=localhost|client_addr=127.0.0.1|orig_queue_id=4B6A3D12F3|orig_client_name=mx.example.com|orig_client_addr=192.0.2.1|orig_client_port=4321|auth_type=PLAIN|auth_authen=user" },
	{ "postfix/smtpd", "3A5F2C01E2: client=localhost[127.0.0.1], orig_queue_id=4B6A3D12F3",
	  "client|queue_id=3A5F2C01E2|client_name=localhost|client_addr=127.0.0.1|orig_queue_id=4B6A3D12F3" },
	{ "postfix/smtpd", "NOQUEUE: client=mx.example.com[192.0.2.1]",
	  "client|client_name=mx.example.com|client_addr=192.0.2.1" },
	{ "postfix/smtpd", "NOQUEUE: reject: RCPT from mx.example.com[192.0.2.1]: 554 5.7.1 <b@example.com>: Relay access denied; from=<a@example.com> to=<b@example.com> proto=ESMTP helo=<mx.example.com>",
	  "reject|action=reject|stage=RCPT|client_name=mx.example.com|client_addr=192.0.2.1|reply=554 5.7.1 <b@example.com>: Relay access denied|from=a@example.com|to=b@example.com|protocol=ESMTP|helo=mx.example.com" },
	{ "postfix/smtpd", "NOQUEUE: reject: RCPT from mx.example.com[192.0.2.1]:4321: 450 4.7.1 x; from=<> to=<b@example.com> proto=SMTP helo=<mx>",
	  "reject|action=reject|stage=RCPT|client_name=mx.example.com|client_addr=192.0.2.1|client_port=4321|reply=450 4.7.1 x|from=|to=b@example.com|protocol=SMTP|helo=mx" },
	{ "postfix/smtpd", "NOQUEUE: reject: RCPT from mx.example.com[192.0.2.1]: 554 5.7.1 x",
	  "reject|action=reject|stage=RCPT|client_name=mx.example.com|client_addr=192.0.2.1|reply=554 5.7.1 x" },
	{ "postfix/smtpd", "NOQUEUE: reject: CONNECT from mx.example.com[192.0.2.1]: 554 5.7.1 x; proto=SMTP",
	  "reject|action=reject|stage=CONNECT|client_name=mx.example.com|client_addr=192.0.2.1|reply=554 5.7.1 x|protocol=SMTP" },
	{ "postfix/smtpd", "NOQUEUE: reject: EHLO from mx.example.com[192.0.2.1]: 504 5.5.2 <x>: Helo command rejected: need fully-qualified hostname; proto=SMTP helo=<x>",
	  "reject|action=reject|stage=EHLO|client_name=mx.example.com|client_addr=192.0.2.1|reply=504 5.5.2 <x>: Helo command rejected: need fully-qualified hostname|protocol=SMTP|helo=x" },
	{ "postfix/smtpd", "NOQUEUE: reject: MAIL from mx.example.com[192.0.2.1]: 552 5.3.4 Message size exceeds fixed limit; proto=ESMTP helo=<mx>",
	  "reject|action=reject|stage=MAIL|client_name=mx.example.com|client_addr=192.0.2.1|reply=552 5.3.4 Message size exceeds fixed limit|protocol=ESMTP|helo=mx" },
	{ "postfix/smtpd", "NOQUEUE: reject: VRFY from mx.example.com[192.0.2.1]: 550 5.1.1 x; to=<b@example.com> proto=SMTP helo=<mx>",
	  "reject|action=reject|stage=VRFY|client_name=mx.example.com|client_addr=192.0.2.1|reply=550 5.1.1 x|to=b@example.com|protocol=SMTP|helo=mx" },
	{ "postfix/smtpd", "NOQUEUE: reject: RCPT from mx.example.com[192.0.2.1]: 554 5.7.1 x; from=<a@example.com> to=<b@example.com> proto=ESMTP helo=",
	  "reject|action=reject|stage=RCPT|client_name=mx.example.com|client_addr=192.0.2.1|reply=554 5.7.1 x|from=a@example.com|to=b@example.com|protocol=ESMTP" },
	{ "postfix/smtpd", "3A5F2C01E2: reject: BDAT from mx.example.com[192.0.2.1]: 452 4.3.1 x; from=<a@example.com> to=<b@example.com> proto=ESMTP helo=<mx>",
	  "reject|queue_id=3A5F2C01E2|action=reject|stage=BDAT|client_name=mx.example.com|client_addr=192.0.2.1|reply=452 4.3.1 x|from=a@example.com|to=b@example.com|protocol=ESMTP|helo=mx" },
	{ "postfix/smtpd", "NOQUEUE: reject: RCPT from mx.example.com[192.0.2.1]: 535 5.7.8 x; from=<a@example.com> to=<b@example.com> proto=ESMTP helo=<mx> sasl_username=<u>",
	  "reject|action=reject|stage=RCPT|client_name=mx.example.com|client_addr=192.0.2.1|reply=535 5.7.8 x|from=a@example.com|to=b@example.com|protocol=ESMTP|helo=mx|auth_authen=u" },
	{ "postfix/smtpd", "NOQUEUE: reject_warning: RCPT from mx.example.com[192.0.2.1]: 554 5.7.1 x; from=<a@example.com> to=<b@example.com> proto=ESMTP helo=<mx>",
	  "reject_warning|action=reject_warning|stage=RCPT|client_name=mx.example.com|client_addr=192.0.2.1|reply=554 5.7.1 x|from=a@example.com|to=b@example.com|protocol=ESMTP|helo=mx" },
	{ "postfix/smtpd", "NOQUEUE: filter: RCPT from mx.example.com[192.0.2.1]: <a@example.com>: Sender address triggers FILTER smtp:[127.0.0.1]:10026; from=<a@example.com> to=<b@example.com> proto=ESMTP helo=<mx>",
	  "filter|action=filter|stage=RCPT|client_name=mx.example.com|client_addr=192.0.2.1|reply=<a@example.com>: Sender address triggers FILTER smtp:[127.0.0.1]:10026|from=a@example.com|to=b@example.com|protocol=ESMTP|helo=mx" },
	{ "postfix/smtpd", "NOQUEUE: discard: MAIL from mx.example.com[192.0.2.1]: x; from=<a@example.com> proto=ESMTP helo=<mx>",
	  "discard|action=discard|stage=MAIL|client_name=mx.example.com|client_addr=192.0.2.1|reply=x|from=a@example.com|protocol=ESMTP|helo=mx" },
	{ "postfix/smtpd", "NOQUEUE: milter-reject: RCPT from mx.example.com[192.0.2.1]: 550 5.7.1 x; from=<a@example.com> to=<b@example.com> proto=ESMTP helo=<mx>",
	  "reject|action=milter-reject|stage=RCPT|client_name=mx.example.com|client_addr=192.0.2.1|reply=550 5.7.1 x|from=a@example.com|to=b@example.com|protocol=ESMTP|helo=mx" },
	{ "postfix/smtpd", "proxy-accept: END-OF-MESSAGE: 250 2.0.0 Ok: queued as 4B6A3D12F3; from=<a@example.com> to=<b@example.com> proto=ESMTP helo=<mx>",
	  "proxy_accept|stage=END-OF-MESSAGE|reply=250 2.0.0 Ok: queued as 4B6A3D12F3|from=a@example.com|to=b@example.com|protocol=ESMTP|helo=mx" },
	{ "postfix/smtpd", "proxy-reject: END-OF-MESSAGE: 554 5.7.1 spam; from=<a@example.com> to=<b@example.com> proto=SMTP helo=<mx>",
	  "proxy_reject|stage=END-OF-MESSAGE|reply=554 5.7.1 spam|from=a@example.com|to=b@example.com|protocol=SMTP|helo=mx" },
	{ "postfix/smtpd", "lost connection after RCPT from mx.example.com[192.0.2.1]",
	  "lost_connection|stage=RCPT|client_name=mx.example.com|client_addr=192.0.2.1" },
	{ "postfix/smtpd", "lost connection after DATA (1234 bytes) from mx.example.com[192.0.2.1]",
	  "lost_connection|stage=DATA|bytes=1234|client_name=mx.example.com|client_addr=192.0.2.1" },
	{ "postfix/smtpd", "NOQUEUE: lost connection after CONNECT from mx.example.com[192.0.2.1]",
	  "lost_connection|stage=CONNECT|client_name=mx.example.com|client_addr=192.0.2.1" },
	{ "postfix/smtpd", "timeout after END-OF-MESSAGE from mx.example.com[192.0.2.1]",
	  "timeout|stage=END-OF-MESSAGE|client_name=mx.example.com|client_addr=192.0.2.1" },
	{ "postfix/smtpd", "too many errors after RCPT from mx.example.com[192.0.2.1]",
	  "too_many_errors|stage=RCPT|client_name=mx.example.com|client_addr=192.0.2.1" },
	{ "postfix/smtpd", "improper command pipelining after AUTH from mx.example.com[192.0.2.1]: QUIT",
	  "pipelining|stage=AUTH|client_name=mx.example.com|client_addr=192.0.2.1|command=QUIT" },
	{ "postfix/smtpd", "improper command pipelining after NOOP from mx.example.com[192.0.2.1]",
	  "pipelining|stage=NOOP|client_name=mx.example.com|client_addr=192.0.2.1" },
	{ "postfix/smtpd", "bare <LF> received after CONNECT from mx.example.com[192.0.2.1]",
	  "bare_newline|stage=CONNECT|client_name=mx.example.com|client_addr=192.0.2.1" },
	{ "postfix/smtpd", "Anonymous TLS connection established from mx.example.com[192.0.2.1]: TLSv1.2 with cipher AECDH-AES256-SHA (256/256 bits)",
	  "tls|tls_trust=Anonymous|client_name=mx.example.com|client_addr=192.0.2.1|tls_version=TLSv1.2|cipher=AECDH-AES256-SHA|cipher_bits=256|cipher_algorithm_bits=256" },
	{ "postfix/smtpd", "SSL_accept error from mx.example.com[192.0.2.1]: lost connection",
	  "tls_error|client_name=mx.example.com|client_addr=192.0.2.1|error=lost connection" },
	{ "postfix/smtpd", "SSL_accept error from mx.example.com[192.0.2.1]: -1",
	  "tls_error|client_name=mx.example.com|client_addr=192.0.2.1|error=-1" },
	{ "postfix/smtpd", "table hash:/etc/postfix/virtual_mailbox_maps(0,lock|fold_fix) has changed -- restarting",
	  "table_changed|table=hash:/etc/postfix/virtual_mailbox_maps|open_flags=0|flags=lock|fold_fix" },
	{ "postfix/smtpd", "fatal: file /etc/postfix/main.cf: parameter default_privs: unknown user name value: nobody",
	  "setting_bad|severity=fatal|path=/etc/postfix/main.cf|setting=default_privs|reason=unknown user name value|value=nobody" },
	{ "postfix/smtpd", "warning: mx.example.com[192.0.2.1]: SASL LOGIN authentication failed: UGFzc3dvcmQ6",
	  "auth_failed|severity=warning|client_name=mx.example.com|client_addr=192.0.2.1|auth_type=LOGIN|reason=UGFzc3dvcmQ6" },
	{ "postfix/smtpd", "warning: mx.example.com[192.0.2.1]:4321: SASL PLAIN authentication failed:",
	  "auth_failed|severity=warning|client_name=mx.example.com|client_addr=192.0.2.1|client_port=4321|auth_type=PLAIN" },
	{ "postfix/smtpd", "warning: mx.example.com[192.0.2.1]: SASL LOGIN authentication failed: (reason unavailable), sasl_username=a@example.com",
	  "auth_failed|severity=warning|client_name=mx.example.com|client_addr=192.0.2.1|auth_type=LOGIN|reason=(reason unavailable)|auth_authen=a@example.com" },
	{ "postfix/smtpd", "warning: hostname mx.example.com does not resolve to address 192.0.2.1: Name or service not known",
	  "name_unverified|severity=warning|client_ptr=mx.example.com|client_addr=192.0.2.1|reason=Name or service not known" },
	{ "postfix/smtpd", "warning: hostname mx.example.com does not resolve to address 2001:db8::1",
	  "name_unverified|severity=warning|client_ptr=mx.example.com|client_addr=2001:db8::1" },
	{ "postfix/smtpd", "warning: 192.0.2.1: hostname mx.example.com verification failed: Name or service not known",
	  "name_unverified|severity=warning|client_addr=192.0.2.1|client_ptr=mx.example.com|reason=Name or service not known" },
	{ "postfix/smtpd", "warning: 192.0.2.1: address not listed for hostname localhost",
	  "name_unverified|severity=warning|client_addr=192.0.2.1|client_ptr=localhost" },
	{ "postfix/smtpd", "warning: 2001:db8::1 address not listed for hostname mx.example.com",
	  "name_unverified|severity=warning|client_addr=2001:db8::1|client_ptr=mx.example.com" },
	{ "postfix/smtpd", "warning: hostname verification failed",
	  "name_unverified|severity=warning" },
	{ "postfix/smtpd", "warning: non-SMTP command from mx.example.com[192.0.2.1]: GET / HTTP/1.1",
	  "non_smtp_command|severity=warning|client_name=mx.example.com|client_addr=192.0.2.1|command=GET / HTTP/1.1" },
	{ "postfix/smtpd", "warning: mx.example.com[192.0.2.1] sent non-SMTP command: To: <b@example.com>",
	  "non_smtp_command|severity=warning|client_name=mx.example.com|client_addr=192.0.2.1|command=To: <b@example.com>" },
	{ "postfix/smtpd", "warning: 1.2.0.192.zen.example.org: RBL lookup error: Host or domain name not found",
	  "blocklist_failed|severity=warning|query=1.2.0.192.zen.example.org|reason=Host or domain name not found" },
	{ "postfix/smtpd", "warning: Illegal address syntax from mx.example.com[192.0.2.1] in RCPT command: <b@@example.com>",
	  "address_syntax|severity=warning|client_name=mx.example.com|client_addr=192.0.2.1|stage=RCPT|address=<b@@example.com>" },
	{ "postfix/smtpd", "warning: SASL authentication failure: Password verification failed",
	  "sasl_failed|severity=warning|reason=Password verification failed" },
	{ "postfix/smtpd", "warning: Unable to look up MX host for example.com: Host not found, try again",
	  "mx_lookup_failed|severity=warning|record_type=MX|domain=example.com|reason=Host not found, try again" },
	{ "postfix/smtpd", "warning: Unable to look up MX host mx.example.com for Sender address a@example.com: host/servname not known",
	  "mx_lookup_failed|severity=warning|record_type=MX|mx_host=mx.example.com|checked=Sender address|address=a@example.com|reason=host/servname not known" },
	{ "postfix/smtpd", "warning: Connection rate limit exceeded: 51 from mx.example.com[192.0.2.1] for service smtpd",
	  "rate_limited|severity=warning|limit=Connection rate|count=51|client_name=mx.example.com|client_addr=192.0.2.1|service=smtpd" },
	{ "postfix/smtpd", "warning: connect to private/policy: Resource temporarily unavailable",
	  "service_failed|severity=warning|service=private/policy|error=Resource temporarily unavailable" },
	{ "postfix/smtpd", "warning: valid_hostname: invalid character 64(decimal): \\@",
	  "hostname_invalid|severity=warning|reason=invalid character|character=64|value=\\@" },
	{ "postfix/anvil", "statistics: max connection count 3 for (smtp:192.0.2.1) at Jan  2 03:04:05",
	  "anvil_count|count=3|service=smtp|client_addr=192.0.2.1|at=Jan  2 03:04:05" },
	{ "postfix/anvil", "statistics: max connection rate 3/60s for (smtp:2001:db8::1) at Jan  2 03:04:05",
	  "anvil_rate|rate_of=connection|count=3|per=60s|service=smtp|client_addr=2001:db8::1|at=Jan  2 03:04:05" },
	{ "postfix/anvil", "statistics: max connection rate 1/2h for (127.0.0.1:2525:127.0.0.1) at Jan  2 03:04:05",
	  "anvil_rate|rate_of=connection|count=1|per=2h|service_addr=127.0.0.1|service_port=2525|client_addr=127.0.0.1|at=Jan  2 03:04:05" },
	{ "postfix/anvil", "statistics: max cache size 2 at Jan  2 03:04:05",
	  "anvil_cache|entries=2|at=Jan  2 03:04:05" },
	{ "postfix/scache", "statistics: domain lookup hits=1 miss=2 success=33%",
	  "scache_lookup|table=domain|hits=1|misses=2|success=33" },
	{ "postfix/scache", "statistics: address lookup hits=0 miss=3 success=0%",
	  "scache_lookup|table=address|hits=0|misses=3|success=0" },
	{ "postfix/scache", "statistics: start interval Jan  2 03:04:05",
	  "scache_start|at=Jan  2 03:04:05" },
	{ "postfix/scache", "statistics: max simultaneous domains=1 addresses=2 connection=3",
	  "scache_max|domains=1|addresses=2|connections=3" },
	{ "postfix/postscreen", "CONNECT from [192.0.2.1]:4321 to [192.0.2.9]:25",
	  "screen_connect|client_addr=192.0.2.1|client_port=4321|daemon_addr=192.0.2.9|daemon_port=25" },
	{ "postfix/postscreen", "PASS OLD [192.0.2.1]:4321",
	  "screen_pass|verdict=OLD|client_addr=192.0.2.1|client_port=4321" },
	{ "postfix/postscreen", "PASS NEW [192.0.2.1]:4321",
	  "screen_pass|verdict=NEW|client_addr=192.0.2.1|client_port=4321" },
	{ "postfix/postscreen", "DISCONNECT [192.0.2.1]:4321",
	  "screen_disconnect|client_addr=192.0.2.1|client_port=4321" },
	{ "postfix/postscreen", "NOQUEUE: reject: RCPT from [192.0.2.1]:4321: 550 5.7.1 Service unavailable; client [192.0.2.1] blocked using zen.example.org; from=<a@example.com>, to=<b@example.com>, proto=ESMTP, helo=<mx>",
	  "reject|action=reject|stage=RCPT|client_addr=192.0.2.1|client_port=4321|reply=550 5.7.1 Service unavailable; client [192.0.2.1] blocked using zen.example.org|from=a@example.com|to=b@example.com|protocol=ESMTP|helo=mx" },
	{ "postfix/postscreen", "NOQUEUE: reject: CONNECT from [192.0.2.1]:4321: too many connections",
	  "reject|action=reject|stage=CONNECT|client_addr=192.0.2.1|client_port=4321|reply=too many connections" },
	{ "postfix/postscreen", "DNSBL rank 3 for [192.0.2.1]:4321",
	  "screen_dnsbl|rank=3|client_addr=192.0.2.1|client_port=4321" },
	{ "postfix/postscreen", "HANGUP after 0.1 from [192.0.2.1]:4321 in tests before SMTP handshake",
	  "screen_hangup|seconds=0.1|client_addr=192.0.2.1|client_port=4321|phase=before" },
	{ "postfix/postscreen", "WHITELISTED [192.0.2.1]:4321",
	  "screen_listed|list=WHITELISTED|client_addr=192.0.2.1|client_port=4321" },
	{ "postfix/postscreen", "ALLOWLIST VETO [192.0.2.1]:4321",
	  "screen_listed|list=ALLOWLIST VETO|client_addr=192.0.2.1|client_port=4321" },
	{ "postfix/postscreen", "BLACKLISTED [192.0.2.1]:4321",
	  "screen_listed|list=BLACKLISTED|client_addr=192.0.2.1|client_port=4321" },
	{ "postfix/postscreen", "PREGREET 14 after 0.02 from [192.0.2.1]:4321: EHLO ylmf-pc\\r\\n",
	  "screen_pregreet|bytes=14|seconds=0.02|client_addr=192.0.2.1|client_port=4321|command=EHLO ylmf-pc\\r\\n" },
	{ "postfix/postscreen", "COMMAND COUNT LIMIT from [192.0.2.1]:4321 after RCPT",
	  "screen_violation|violation=COMMAND COUNT LIMIT|client_addr=192.0.2.1|client_port=4321|stage=RCPT" },
	{ "postfix/postscreen", "COMMAND TIME LIMIT from [192.0.2.1]:4321 after CONNECT",
	  "screen_violation|violation=COMMAND TIME LIMIT|client_addr=192.0.2.1|client_port=4321|stage=CONNECT" },
	{ "postfix/postscreen", "COMMAND PIPELINING from [192.0.2.1]:4321 after HELO: MAIL FROM:<a>",
	  "screen_violation|violation=COMMAND PIPELINING|client_addr=192.0.2.1|client_port=4321|stage=HELO|command=MAIL FROM:<a>" },
	{ "postfix/postscreen", "NON-SMTP COMMAND from [192.0.2.1]:4321 after CONNECT: GET / HTTP/1.1",
	  "screen_violation|violation=NON-SMTP COMMAND|client_addr=192.0.2.1|client_port=4321|stage=CONNECT|command=GET / HTTP/1.1" },
	{ "postfix/postscreen", "BARE NEWLINE from [192.0.2.1]:4321 after HELO",
	  "screen_violation|violation=BARE NEWLINE|client_addr=192.0.2.1|client_port=4321|stage=HELO" },
	{ "postfix/postscreen", "cache btree:/var/lib/postfix/postscreen_cache full cleanup: retained=1 dropped=2 entries",
	  "cache_cleanup|table=btree:/var/lib/postfix/postscreen_cache|extent=full|retained=1|dropped=2" },
	{ "postfix/postscreen", "warning: dnsblog reply timeout 10s for zen.example.org",
	  "dnsbl_timeout|severity=warning|timeout=10s|domain=zen.example.org" },
	{ "postfix/postscreen", "warning: getpeername: Transport endpoint is not connected -- dropping this connection",
	  "screen_dropped|severity=warning|error=Transport endpoint is not connected" },
	{ "postfix/dnsblog", "addr 192.0.2.1 listed by domain zen.example.org as 127.0.0.2",
	  "dnsbl_hit|client_addr=192.0.2.1|domain=zen.example.org|answer=127.0.0.2" },
	{ "postfix/dnsblog", "addr 2001:db8::1 listed by domain zen.example.org as 127.0.0.2",
	  "dnsbl_hit|client_addr=2001:db8::1|domain=zen.example.org|answer=127.0.0.2" },
	{ "postfix/dnsblog", "warning: dnsblog_query: lookup error for DNS query 1.2.0.192.zen.example.org: Host or domain name not found. Name service error for name=x type=A: Host not found, try again",
	  "dnsbl_failed|severity=warning|query=1.2.0.192.zen.example.org|error=Host or domain name not found|looked_up=x|record_type=A|dns_error=Host not found, try again" },
	{ "postfix/tlsproxy", "CONNECT from [192.0.2.1]:4321",
	  "screen_connect|client_addr=192.0.2.1|client_port=4321" },
	{ "postfix/tlsproxy", "DISCONNECT [192.0.2.1]:4321",
	  "screen_disconnect|client_addr=192.0.2.1|client_port=4321" },
	{ "postfix/tlsproxy", "Anonymous TLS connection established from [192.0.2.1]:4321: TLSv1.2 with cipher AES (256/256 bits)",
	  "tls|tls_trust=Anonymous|client_addr=192.0.2.1|client_port=4321|tls_version=TLSv1.2|cipher=AES|cipher_bits=256|cipher_algorithm_bits=256" },
	{ "postfix/master", "daemon started -- version 3.7.11, configuration /etc/postfix",
	  "started|mta_version=3.7.11|directory=/etc/postfix" },
	{ "postfix/master", "daemon started -- version 2.3",
	  "started|mta_version=2.3" },
	{ "postfix/master", "reload -- version 3.7.11, configuration /etc/postfix",
	  "reloaded|mta_version=3.7.11|directory=/etc/postfix" },
	{ "postfix/master", "terminating on signal 15",
	  "terminated|signal=15" },
	{ "postfix/master", "warning: process /usr/lib/postfix/smtpd pid 42 killed by signal 11",
	  "process_killed|severity=warning|path=/usr/lib/postfix/smtpd|child_pid=42|signal=11" },
	{ "postfix/postfix-script", "starting the Postfix mail system",
	  "starting" },
	{ "postfix/postfix-script", "fatal: the Postfix mail system is already running",
	  "already_running|severity=fatal" },
	{ "postfix/postfix-script", "warning: symlink leaves directory: /etc/postfix/./makedefs.out",
	  "symlink_leaves|severity=warning|path=/etc/postfix/./makedefs.out" },
	{ "postfix/postsuper", "3A5F2C01E2: placed on hold",
	  "held|queue_id=3A5F2C01E2" },
	{ "postfix/postsuper", "Deleted: 2 messages",
	  "postsuper_deleted|count=2" },
	{ "postfix/postsuper", "Requeued: 1 message",
	  "postsuper_requeued|count=1" },
	{ "postfix/postmap", "warning: /etc/postfix/users.db: duplicate entry: \"a@example.com\"",
	  "duplicate_entry|severity=warning|table=/etc/postfix/users.db|key=a@example.com" },
	{ "postfix/postdrop", "warning: uid=33: File too large",
	  "file_too_large|severity=warning|uid=33|error=File too large" },
	{ "postfix/smtpd", "warning: 4jbr1p3mxRzBd2K: queue file size limit exceeded",
	  "too_large|severity=warning|queue_id=4jbr1p3mxRzBd2K|reply=queue file size limit exceeded" },
	{ "postfix/cleanup", "warning: 3A5F2C01E2: write queue file: No space left on device",
	  "queue_file_failed|severity=warning|queue_id=3A5F2C01E2|error=No space left on device" },
	{ "postfix/cleanup", "warning: mail_stream_cleanup: close error",
	  "queue_file_failed|severity=warning|function=cleanup|error=close error" },
	{ "postfix/sendmail", "fatal: root(0): message file too big",
	  "file_too_large|severity=fatal|user=root|uid=0|error=message file too big" },
	{ "postfix/trivial-rewrite", "warning: do not list domain example.com in BOTH mydestination and virtual_mailbox_domains",
	  "domain_twice|severity=warning|domain=example.com|setting=mydestination|other_setting=virtual_mailbox_domains" },
	{ "postfix/trivial-rewrite", "warning: dict_ldap_lookup: Search error -1: Can't contact LDAP server",
	  "lookup_failed|severity=warning|code=-1|error=Can't contact LDAP server" },
	{ "postfix/trivial-rewrite", "warning: virtual_alias_domains lookup failure",
	  "lookup_failed|severity=warning|map=virtual_alias_domains" },
	{ "postfix/local", "warning: dict_nis_init: NIS domain name not set - NIS lookups disabled",
	  "nis_disabled|severity=warning" },
	{ "postfix/tlsmgr", "warning: request to update table btree:/var/spool/postfix/smtpd_scache in non-postfix directory /var/spool/postfix",
	  "tls_session_cache|severity=warning|table=btree:/var/spool/postfix/smtpd_scache|directory=/var/spool/postfix" },
	{ "postfix/smtpd", "warning: read TCP map reply from 127.0.0.1:66: unexpected EOF (Operation now in progress)",
	  "tcp_map_failed|severity=warning|server_name=127.0.0.1|server_port=66|error=unexpected EOF|system_error=Operation now in progress" },
	{ "postfix/verify", "cache lmdb:/var/lib/postfix/verify_cache full cleanup: retained=1 dropped=2 entries",
	  "cache_cleanup|table=lmdb:/var/lib/postfix/verify_cache|extent=full|retained=1|dropped=2" },
};

/* What clients and servers may write so as to look like fields; and lines that are none of Postfix's. */
static const struct format_case hostile_cases[] = {
	{ "dovecot", "pop3-login: Disconnected: Inactivity: user=<x>, method=PLAIN, rip=192.0.2.66>, method=LOGIN, rip=192.0.2.1, lip=192.0.2.9",
	  "login_failed|outcome=Disconnected|reason=Inactivity|auth_authen=x>, method=PLAIN, rip=192.0.2.66|auth_type=LOGIN|client_addr=192.0.2.1|daemon_addr=192.0.2.9|service=pop3" },
	{ "dovecot", "imap-login: Aborted login (auth failed, 1 attempts in 2 secs): user=<x>, method=PLAIN, rip=192.0.2.66, lip=192.0.2.67>, method=LOGIN, rip=192.0.2.1, lip=192.0.2.9, TLS, session=<abc>",
	  "login_failed|outcome=Aborted login|reason=auth failed, 1 attempts in 2 secs|auth_authen=x>, method=PLAIN, rip=192.0.2.66, lip=192.0.2.67|auth_type=LOGIN|client_addr=192.0.2.1|daemon_addr=192.0.2.9|login_security=TLS|session_id=abc|service=imap" },
	{ "postfix/smtpd", "3A5F2C01E2: client=a[192.0.2.1], sasl_method=PLAIN, sasl_username=u, orig_client=forged[192.0.2.66]",
	  "client|queue_id=3A5F2C01E2|client_name=a|client_addr=192.0.2.1|auth_type=PLAIN|auth_authen=u, orig_client=forged[192.0.2.66]" },
	{ "postfix/qmgr", "3A5F2C01E2: from=<\"x>, size=1, nrcpt=9 (queue active)\"@example.com>, size=5, nrcpt=1 (queue active)",
	  "queued|queue_id=3A5F2C01E2|from=\"x>, size=1, nrcpt=9 (queue active)\"@example.com|size=5|recipients=1|queue=active" },
	{ "postfix/cleanup", "3A5F2C01E2: message-id=<x> 4B6A3D12F3: removed",
	  "message_id|queue_id=3A5F2C01E2|message_id=<x> 4B6A3D12F3: removed" },
	{ "postfix/smtp", "3A5F2C01E2: to=<b@example.com>, relay=mx[192.0.2.2]:25, delay=1, delays=0/0/0/1, dsn=5.0.0, status=bounced (host mx[192.0.2.2] said: 550 x), relay=forged[192.0.2.66]:25, status=sent (ok) (in reply to RCPT TO command))",
	  "delivery|queue_id=3A5F2C01E2|to=b@example.com|relay_name=mx|relay_addr=192.0.2.2|relay_port=25|delay=1|delay_before=0|delay_queue=0|delay_connection=0|delay_transfer=1|dsn=5.0.0|status=bounced|reply=host mx[192.0.2.2] said: 550 x), relay=forged[192.0.2.66]:25, status=sent (ok) (in reply to RCPT TO command)" },
	{ "postfix/smtpd", "warning: Illegal address syntax from mx[192.0.2.1] in MAIL command: <x> from forged[192.0.2.66] in RCPT command: y",
	  "address_syntax|severity=warning|client_name=mx|client_addr=192.0.2.1|stage=MAIL|address=<x> from forged[192.0.2.66] in RCPT command: y" },
	/* A replacement text of the administrator's, and of a header, that imitate the end of a check. */
	{ "postfix/cleanup", "3A5F2C01E2: replace: header Subject: x from mx[192.0.2.1]:4321; from=<a@example.com> to=<b@example.com> proto=ESMTP helo=<mx>: Subject: y; from=<forged@example.org> to=<forged>",
	  "header_check|queue_id=3A5F2C01E2|action=replace|section=header|header_name=Subject|header=x|client_name=mx|client_addr=192.0.2.1|client_port=4321|from=a@example.com|to=b@example.com|protocol=ESMTP|helo=mx|replacement=Subject: y; from=<forged@example.org> to=<forged>" },
	{ "postfix/cleanup", "3A5F2C01E2: info: header Subject: x from forged[192.0.2.66]; from=<f@example.org> to=<f> from mx[192.0.2.1]; from=<a@example.com> to=<b@example.com> proto=ESMTP helo=<mx>",
	  "header_check|queue_id=3A5F2C01E2|action=info|section=header|header_name=Subject|header=x from forged[192.0.2.66]; from=<f@example.org> to=<f>|client_name=mx|client_addr=192.0.2.1|from=a@example.com|to=b@example.com|protocol=ESMTP|helo=mx" },
	{ "postfix/cleanup", "3A5F2C01E2: info: header Subject: mail from someone else; from=<a@example.com> to=<b@example.com> proto=ESMTP helo=<mx>",
	  "header_check|queue_id=3A5F2C01E2|action=info|section=header|header_name=Subject|header=mail from someone else|from=a@example.com|to=b@example.com|protocol=ESMTP|helo=mx" },
	{ "postfix/smtpd", "warning: reject: ETRN status=sent, queued... from mx[192.0.2.1]:4321",
	  "reject|severity=warning|action=reject|stage=ETRN|domain=status=sent, queued|client_name=mx|client_addr=192.0.2.1|client_port=4321" },
	{ "postfix/smtpd", "warning: non-SMTP command from mx[192.0.2.1]: GET x[192.0.2.66]: from=<forged>",
	  "non_smtp_command|severity=warning|client_name=mx|client_addr=192.0.2.1|command=GET x[192.0.2.66]: from=<forged>" },
	{ "postfix/smtpd", "improper command pipelining after EHLO from mx[192.0.2.1]: EHLO x; helo=<y> from z[192.0.2.66]: QUIT",
	  "pipelining|stage=EHLO|client_name=mx|client_addr=192.0.2.1|command=EHLO x; helo=<y> from z[192.0.2.66]: QUIT" },
	{ "postfix/smtpd", "warning: mx[192.0.2.1]: SASL PLAIN authentication failed: x, sasl_username=forged, sasl_username=real",
	  "auth_failed|severity=warning|client_name=mx|client_addr=192.0.2.1|auth_type=PLAIN|reason=x, sasl_username=forged|auth_authen=real" },
	{ "postfix/postscreen", "PREGREET 30 after 0 from [192.0.2.1]:4321: EHLO x from [192.0.2.66]:25: y\\r\\n",
	  "screen_pregreet|bytes=30|seconds=0|client_addr=192.0.2.1|client_port=4321|command=EHLO x from [192.0.2.66]:25: y\\r\\n" },
	{ "amavis", "(01302-17) Passed CLEAN {RelayedInbound}, [192.0.2.1] <a@example.com> -> <\"x>,<y, Queue-ID: FORGED\"@example.com>,<b@example.com>, Queue-ID: 3A5F2C01E2, 5 ms",
	  "scanned|amavis_id=01302-17|outcome=Passed|category=CLEAN|actions=RelayedInbound|client_addr=192.0.2.1|from=a@example.com|to=\"x>,<y, Queue-ID: FORGED\"@example.com|to=b@example.com|queue_id=3A5F2C01E2|milliseconds=5" },
	{ "postfix/smtpd", "NOQUEUE: reject: RCPT from mx[192.0.2.1]: 554 5.7.1 <b@example.com>: Relay access denied; from=<a@example.com> to=<b@example.com> proto=ESMTP helo=<x; from=<evil@x> to=<evil@y> proto=ESMTP helo=<z>",
	  "reject|action=reject|stage=RCPT|client_name=mx|client_addr=192.0.2.1|reply=554 5.7.1 <b@example.com>: Relay access denied|from=a@example.com|to=b@example.com|protocol=ESMTP|helo=x; from=<evil@x> to=<evil@y> proto=ESMTP helo=<z" },
	{ "postfix/smtpd", "NOQUEUE: reject: RCPT from mx[192.0.2.1]: 554 5.7.1 <b@example.com>: Recipient address rejected: see; from=<evil@x> to=<evil@y> proto=SMTP helo=<z>; from=<a@example.com> to=<b@example.com> proto=ESMTP helo=<mx>",
	  "reject|action=reject|stage=RCPT|client_name=mx|client_addr=192.0.2.1|reply=554 5.7.1 <b@example.com>: Recipient address rejected: see; from=<evil@x> to=<evil@y> proto=SMTP helo=<z>|from=a@example.com|to=b@example.com|protocol=ESMTP|helo=mx" },
	{ "postfix/smtpd", "NOQUEUE: reject: RCPT from mx[192.0.2.1]: 450 4.7.1 <x; from=<evil@x> to=<evil@y> proto=ESMTP helo=<z>: Helo command rejected: Host not found; from=<a@example.com> to=<b@example.com> proto=ESMTP helo=<x; from=<evil@x> to=<evil@y> proto=ESMTP helo=<z>",
	  "reject|action=reject|stage=RCPT|client_name=mx|client_addr=192.0.2.1|reply=450 4.7.1 <x; from=<evil@x> to=<evil@y> proto=ESMTP helo=<z>: Helo command rejected: Host not found|from=a@example.com|to=b@example.com|protocol=ESMTP|helo=x; from=<evil@x> to=<evil@y> proto=ESMTP helo=<z" },
	{ "postfix/smtpd", "NOQUEUE: reject: RCPT from mx[192.0.2.1]: 554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using x; listed; from=<evil@x> to=<evil@y> proto=SMTP helo=<z>; from=<a@example.com> to=<b@example.com> proto=ESMTP helo=<mx>",
	  "reject|action=reject|stage=RCPT|client_name=mx|client_addr=192.0.2.1|reply=554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using x; listed; from=<evil@x> to=<evil@y> proto=SMTP helo=<z>|from=a@example.com|to=b@example.com|protocol=ESMTP|helo=mx" },
	{ "postfix/smtpd", "NOQUEUE: reject: RCPT from mx[192.0.2.1]: 554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using x; from=<a@example.com> to=<b@example.com> proto=ESMTP helo=<x; from=<evil@x> to=<evil@y> proto=ESMTP helo=<z>",
	  "reject|action=reject|stage=RCPT|client_name=mx|client_addr=192.0.2.1|reply=554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using x|from=a@example.com|to=b@example.com|protocol=ESMTP|helo=x; from=<evil@x> to=<evil@y> proto=ESMTP helo=<z" },
	{ "postfix/smtpd", "NOQUEUE: reject: RCPT from mx[192.0.2.1]: 550 5.1.1 <\"b> to=<evil\"@example.com>: Recipient address rejected: User unknown; from=<\"a> to=<evil@x> proto=ESMTP\"@example.com> to=<\"b> to=<evil\"@example.com> proto=ESMTP helo=<mx>",
	  "reject|action=reject|stage=RCPT|client_name=mx|client_addr=192.0.2.1|reply=550 5.1.1 <\"b> to=<evil\"@example.com>: Recipient address rejected: User unknown|from=\"a> to=<evil@x> proto=ESMTP\"@example.com|to=\"b> to=<evil\"@example.com|protocol=ESMTP|helo=mx" },
	{ "postfix/smtp", "3A5F2C01E2: to=<\"b>, relay=evil[192.0.2.66]:25, delay=1\"@example.com>, relay=mx[192.0.2.2]:25, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 ok)",
	  "delivery|queue_id=3A5F2C01E2|to=\"b>, relay=evil[192.0.2.66]:25, delay=1\"@example.com|relay_name=mx|relay_addr=192.0.2.2|relay_port=25|delay=1|delay_before=0|delay_queue=0|delay_connection=0|delay_transfer=1|dsn=2.0.0|status=sent|reply=250 ok" },
	{ "postfix/smtp", "3A5F2C01E2: to=<b@example.com>, relay=mx[192.0.2.2]:25, delay=1, delays=0/0/0/1, dsn=4.0.0, status=deferred (host said: 450 status=sent (250 2.0.0 Ok: queued as EVIL), relay=evil, to=<evil@x>)",
	  "delivery|queue_id=3A5F2C01E2|to=b@example.com|relay_name=mx|relay_addr=192.0.2.2|relay_port=25|delay=1|delay_before=0|delay_queue=0|delay_connection=0|delay_transfer=1|dsn=4.0.0|status=deferred|reply=host said: 450 status=sent (250 2.0.0 Ok: queued as EVIL), relay=evil, to=<evil@x>" },
	{ "postfix/smtp", "3A5F2C01E2: to=<b,c@example.com>, relay=mx[192.0.2.2]:25, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 ok)",
	  "delivery|queue_id=3A5F2C01E2|to=b,c@example.com|relay_name=mx|relay_addr=192.0.2.2|relay_port=25|delay=1|delay_before=0|delay_queue=0|delay_connection=0|delay_transfer=1|dsn=2.0.0|status=sent|reply=250 ok" },
	{ "postfix/cleanup", "3A5F2C01E2: warning: header Subject: x from evil[192.0.2.66]; from=<evil@x> to=<evil@y> proto=ESMTP helo=<z> from mx[192.0.2.1]; from=<a@example.com> to=<b@example.com> proto=ESMTP helo=<mx>",
	  "header_check|queue_id=3A5F2C01E2|action=warning|section=header|header_name=Subject|header=x from evil[192.0.2.66]; from=<evil@x> to=<evil@y> proto=ESMTP helo=<z>|client_name=mx|client_addr=192.0.2.1|from=a@example.com|to=b@example.com|protocol=ESMTP|helo=mx" },
	{ "postfix/cleanup", "3A5F2C01E2: message-id=<m@x> 4B6A3D12F3: removed",
	  "message_id|queue_id=3A5F2C01E2|message_id=<m@x> 4B6A3D12F3: removed" },
	{ "postfix/smtpd", "warning: non-SMTP command from mx[192.0.2.1]: 3A5F2C01E2: client=evil[192.0.2.66]",
	  "non_smtp_command|severity=warning|client_name=mx|client_addr=192.0.2.1|command=3A5F2C01E2: client=evil[192.0.2.66]" },
	{ "postfix/smtpd", "3A5F2C01E2: client=mx[192.0.2.1], sasl_method=PLAIN, sasl_username=u",
	  "client|queue_id=3A5F2C01E2|client_name=mx|client_addr=192.0.2.1|auth_type=PLAIN|auth_authen=u" },
	{ "postfix/smtp", "3A5F2C01E2: host mx[192.0.2.2] said: 550 no (in reply to RCPT TO command) (in reply to DATA command)",
	  "host_said|queue_id=3A5F2C01E2|server_name=mx|server_addr=192.0.2.2|reply=550 no (in reply to RCPT TO command)|stage=DATA" },
	{ "postfix/qmgr", "3A5F2C01E2: from=<\"a, size=1, nrcpt=9 (queue active)\"@example.com>, size=5, nrcpt=1 (queue active)",
	  "queued|queue_id=3A5F2C01E2|from=\"a, size=1, nrcpt=9 (queue active)\"@example.com|size=5|recipients=1|queue=active" },
	{ "postfix/smtpd", "STATISTICS1:",
	  "unknown" },
	{ "postfix/smtpd", "FOOBAR99:",
	  "unknown" },
	{ "postfix/smtpd", "3A5F2C01E2: some unrecognized payload",
	  "unknown" },
	{ "postfix/smtpd", "some text that no row is of",
	  "unknown" },
};

static const struct format_case companion_cases[] = {
	{ "opendkim", "3A5F2C01E2: DKIM-Signature field added (s=default, d=example.com)",
	  "dkim_signed|queue_id=3A5F2C01E2|selector=default|domain=example.com" },
	{ "opendkim", "3A5F2C01E2: DKIM verification successful",
	  "dkim_verified|queue_id=3A5F2C01E2|result=successful" },
	{ "opendkim", "3A5F2C01E2: s=default d=example.com a=rsa-sha256 SSL",
	  "dkim_key|queue_id=3A5F2C01E2|selector=default|domain=example.com|algorithm=rsa-sha256" },
	{ "opendkim", "3A5F2C01E2: mx.example.com [192.0.2.1] not internal",
	  "dkim_external|queue_id=3A5F2C01E2|client_name=mx.example.com|client_addr=192.0.2.1" },
	{ "opendkim", "3A5F2C01E2: [192.0.2.1] [192.0.2.1] not internal",
	  "dkim_external|queue_id=3A5F2C01E2|client_name=192.0.2.1|client_addr=192.0.2.1" },
	{ "opendkim", "3A5F2C01E2: no signing table match for 'a@example.com'",
	  "dkim_skipped|queue_id=3A5F2C01E2|from=a@example.com" },
	{ "opendmarc", "3A5F2C01E2: SPF(mailfrom): a@example.com pass",
	  "spf|queue_id=3A5F2C01E2|spf_identity=mailfrom|local_part=a|domain=example.com|result=pass" },
	{ "opendmarc", "3A5F2C01E2: example.com pass",
	  "dmarc|queue_id=3A5F2C01E2|from_domain=example.com|result=pass" },
	{ "opendmarc", "3A5F2C01E2 ignoring Authentication-Results at 6 from mx.example.com",
	  "results_ignored|queue_id=3A5F2C01E2|position=6|authserv_id=mx.example.com" },
	{ "policyd-spf", "Pass; identity=mailfrom; client-ip=192.0.2.1; helo=mx; envelope-from=a@example.com; receiver=<UNKNOWN>",
	  "spf|result=Pass|spf_identity=mailfrom|client_addr=192.0.2.1|helo=mx|from=a@example.com|receiver=<UNKNOWN>" },
	{ "policyd-spf", "None; identity=helo; client-ip=2001:db8::1; helo=mx; envelope-from=<>; receiver=<UNKNOWN> 1",
	  "spf|result=None|spf_identity=helo|client_addr=2001:db8::1|helo=mx|from=|receiver=<UNKNOWN>|mark=1" },
	{ "policyd-spf", "prepend Received-SPF: Softfail (domain owner discourages use of this host) identity=mailfrom; client-ip=192.0.2.1; helo=mx; envelope-from=a@example.com; receiver=<UNKNOWN>",
	  "spf|action=prepend|result=Softfail|comment=domain owner discourages use of this host|spf_identity=mailfrom|client_addr=192.0.2.1|helo=mx|from=a@example.com|receiver=<UNKNOWN>" },
	{ "policyd-spf", "Action: prepend: Text: Received-SPF: Pass (mailfrom) identity=mailfrom; client-ip=192.0.2.1; helo=mx; envelope-from=a@example.com; receiver=<UNKNOWN> Reject action: 550 5.7.23",
	  "spf|action=prepend|result=Pass|comment=mailfrom|spf_identity=mailfrom|client_addr=192.0.2.1|helo=mx|from=a@example.com|receiver=<UNKNOWN>|reply_code=550|dsn=5.7.23" },
	{ "postgrey", "action=greylist, reason=new, client_name=mx, client_address=192.0.2.1, sender=a@example.com, recipient=b@example.com",
	  "greylist|action=greylist|reason=new|client_name=mx|client_addr=192.0.2.1|from=a@example.com|to=b@example.com" },
	{ "postgrey", "action=pass, reason=triplet found, delay=300, client_name=mx, client_address=192.0.2.1, a@example.com, b@example.com",
	  "greylist|action=pass|reason=triplet found|delay=300|client_name=mx|client_addr=192.0.2.1|from=a@example.com|to=b@example.com" },
	{ "postgrey", "3A5F2C01E2: action=pass, reason=client whitelist, client_name=mx, client_address=192.0.2.1, sender=a@example.com, recipient=b@example.com",
	  "greylist|queue_id=3A5F2C01E2|action=pass|reason=client whitelist|client_name=mx|client_addr=192.0.2.1|from=a@example.com|to=b@example.com" },
	{ "postgrey", "action=greylist, reason=early-retry (10s missing), client_name=mx, client_address=192.0.2.1, sender=a@example.com, recipient=b@example.com",
	  "greylist|action=greylist|reason=early-retry|missing_seconds=10|client_name=mx|client_addr=192.0.2.1|from=a@example.com|to=b@example.com" },
	{ "postgrey", "whitelisted: mx.example.com[192.0.2.1]",
	  "greylist_known|client_name=mx.example.com|client_addr=192.0.2.1" },
	{ "amavis", "(01302-17) Passed CLEAN {RelayedInbound}, [192.0.2.1]:4321 [192.0.2.2] <a@example.com> -> <b@example.com>, Queue-ID: 3A5F2C01E2, Message-ID: <m@example.com>, mail_id: abc, Hits: -1.5, size: 1234, queued_as: 4B6A3D12F3, 512 ms",
	  "scanned|amavis_id=01302-17|outcome=Passed|category=CLEAN|actions=RelayedInbound|client_addr=192.0.2.1|client_port=4321|origin_addr=192.0.2.2|from=a@example.com|to=b@example.com|queue_id=3A5F2C01E2|message_id=m@example.com|mail_id=abc|score=-1.5|size=1234|queued_as=4B6A3D12F3|milliseconds=512" },
	{ "amavis", "(01302-17) Passed CLEAN {RelayedInbound}, [192.0.2.1]:4321 [192.0.2.2] <> -> <b@example.com>, Queue-ID: 3A5F2C01E2, Message-ID: <>, mail_id: abc, Hits: -, size: 1, queued_as: 4B6A3D12F3, 5 ms",
	  "scanned|amavis_id=01302-17|outcome=Passed|category=CLEAN|actions=RelayedInbound|client_addr=192.0.2.1|client_port=4321|origin_addr=192.0.2.2|from=|to=b@example.com|queue_id=3A5F2C01E2|message_id=|mail_id=abc|score=-|size=1|queued_as=4B6A3D12F3|milliseconds=5" },
	/* What looks like a policy's name is one, wherever it stands. */
	{ "amavis", "(01302-17) Passed CLEAN {RelayedInbound}, [192.0.2.1]:4321 [192.0.2.2] <a LOCAL [192.0.2.3]:1 [192.0.2.4] <c@example.com> -> <b@example.com>, Queue-ID: 3A5F2C01E2, Message-ID: <m@example.com>, mail_id: abc, Hits: 1, size: 1, queued_as: 4B6A3D12F3, 5 ms",
	  "scanned|amavis_id=01302-17|outcome=Passed|category=CLEAN|actions=RelayedInbound|policy=[192.0.2.1]:4321 [192.0.2.2] <a|client_addr=192.0.2.3|client_port=1|origin_addr=192.0.2.4|from=c@example.com|to=b@example.com|queue_id=3A5F2C01E2|message_id=m@example.com|mail_id=abc|score=1|size=1|queued_as=4B6A3D12F3|milliseconds=5" },
	{ "amavis", "(01302-17) Blocked INFECTED (Eicar-Signature, other) {DiscardedInbound,Quarantined}, [192.0.2.1] <a@example.com> -> <b@example.com>, Queue-ID: 3A5F2C01E2, 5 ms",
	  "scanned|amavis_id=01302-17|outcome=Blocked|category=INFECTED (Eicar-Signature, other)|actions=DiscardedInbound,Quarantined|client_addr=192.0.2.1|from=a@example.com|to=b@example.com|queue_id=3A5F2C01E2|milliseconds=5" },
	/* Either may be the name of a file. */
	{ "amavis", "(01302-17) Blocked BANNED (.exe,a) {X}, <> -> <x@example.com>, Queue-ID: FORGED, b.exe) {DiscardedInbound}, [192.0.2.1] <a@example.com> -> <b@example.com>, Queue-ID: 3A5F2C01E2, 5 ms",
	  "unknown" },
	{ "amavis", "(01302-17) Blocked SPAM {DiscardedInbound}, [192.0.2.1] <a@example.com> -> <b@example.com>, quarantine: x, Queue-ID: 3A5F2C01E2, mail_id: abc, Hits: 9, size: 1, 5 ms",
	  "scanned|amavis_id=01302-17|outcome=Blocked|category=SPAM|actions=DiscardedInbound|client_addr=192.0.2.1|from=a@example.com|to=b@example.com|quarantine=x|queue_id=3A5F2C01E2|mail_id=abc|score=9|size=1|milliseconds=5" },
	{ "rspamd", "<abc123>; proxy; rspamd_task_write_log: id: <m@example.com>, qid: <3A5F2C01E2>, ip: 192.0.2.1, from: <a@example.com>, (default: F (no action): [-0.10/15.00] [X(0.1){a;}]), len: 12, time: 3.4ms, dns req: 1",
	  "scanned|task=abc123|worker=proxy|message_id=m@example.com|queue_id=3A5F2C01E2|client_addr=192.0.2.1|from=a@example.com|settings=default|verdict=F|action=no action|score=-0.10|required=15.00|symbols=X(0.1){a;}|size=12|milliseconds=3.4|details=dns req: 1" },
	{ "spamd", "spamd: connection from mx [192.0.2.1]:4321 to port 783, fd 5",
	  "scan_connect|client_name=mx|client_addr=192.0.2.1|client_port=4321|daemon_port=783|fd=5" },
	{ "spamd", "spamd: processing message <m@example.com> for debian-spamd:106",
	  "scan_begun|message_id=m@example.com|user=debian-spamd|uid=106" },
	{ "spamd", "spamd: result: . -2 - DKIM_SIGNED,SPF_PASS scantime=0.5,size=1234,user=debian-spamd,uid=106,required_score=5.0,rhost=::1,raddr=::1,rport=4321,mid=<m@example.com>,autolearn=ham",
	  "scanned|verdict=.|score=-2|symbols=DKIM_SIGNED,SPF_PASS|seconds=0.5|size=1234|user=debian-spamd|uid=106|required=5.0|client_name=::1|client_addr=::1|client_port=4321|message_id=m@example.com|autolearn=ham" },
	{ "spamd", "dns: new_dns_packet: domain is utf8 flagged: example.com",
	  "domain_invalid|domain=example.com" },
	{ "dovecot", "imap-login: Login: user=<a@example.com>, method=PLAIN, rip=192.0.2.1, lip=192.0.2.9, mpid=42, TLS, session=<abc>",
	  "login|outcome=Login|auth_authen=a@example.com|auth_type=PLAIN|client_addr=192.0.2.1|daemon_addr=192.0.2.9|child_pid=42|login_security=TLS|session_id=abc|service=imap" },
	{ "dovecot", "imap-login: Aborted login (no auth attempts in 0 secs): user=<>, rip=192.0.2.1, lip=192.0.2.9, secured",
	  "login_failed|outcome=Aborted login|reason=no auth attempts in 0 secs|auth_authen=|client_addr=192.0.2.1|daemon_addr=192.0.2.9|login_details=secured|service=imap" },
	{ "dovecot", "pop3-login: Disconnected (auth failed, 1 attempts in 2 secs): user=<a>, method=PLAIN, rip=192.0.2.1, lip=192.0.2.9",
	  "login_failed|outcome=Disconnected|reason=auth failed, 1 attempts in 2 secs|auth_authen=a|auth_type=PLAIN|client_addr=192.0.2.1|daemon_addr=192.0.2.9|service=pop3" },
	{ "dovecot", "imap(a@example.com)<42><abc>: Logged out in=82 out=894 deleted=0 expunged=1 trashed=2 hdr_count=3 hdr_bytes=4 body_count=5 body_bytes=6",
	  "session_end|reason=Logged out|bytes_in=82|bytes_out=894|deleted=0|expunged=1|trashed=2|header_count=3|header_bytes=4|body_count=5|body_bytes=6|service=imap|user=a@example.com|child_pid=42|session_id=abc" },
	{ "dovecot", "imap(a): Disconnected: Logged out in=143 out=1425",
	  "session_end|reason=Disconnected: Logged out|bytes_in=143|bytes_out=1425|service=imap|user=a" },
	{ "dovecot", "IMAP(a): Disconnected: Logged out bytes=28/647",
	  "session_end|reason=Disconnected: Logged out|bytes_in=28|bytes_out=647|service=IMAP|user=a" },
	{ "dovecot", "pop3(a@example.com)<42><abc>: Disconnected: Logged out top=0/0, retr=1/2345, del=1/3, size=4567",
	  "session_end|reason=Disconnected: Logged out|top_count=0|top_bytes=0|retrieved_count=1|retrieved_bytes=2345|deleted=1|messages=3|size=4567|service=pop3|user=a@example.com|child_pid=42|session_id=abc" },
	{ "dovecot", "lmtp(a@example.com)<42><abc>: msgid=<m@example.com>: saved mail to INBOX",
	  "stored|message_id=<m@example.com>|mailbox=INBOX|service=lmtp|user=a@example.com|child_pid=42|session_id=abc" },
	{ "dovecot", "lmtp(a@example.com)<42><abc>: sieve: msgid=<m@example.com>: stored mail into mailbox 'INBOX'",
	  "stored|message_id=<m@example.com>|mailbox=INBOX|service=lmtp|user=a@example.com|child_pid=42|session_id=abc" },
	{ "dovecot", "lmtp(42): Connect from local",
	  "lmtp_connect|client_addr=local|service=lmtp|child_pid=42" },
	{ "dovecot", "lmtp(42): Disconnect from local: Client has quit the connection (state=READY)",
	  "lmtp_disconnect|client_addr=local|reason=Client has quit the connection|state=READY|service=lmtp|child_pid=42" },
};

static void write_event(char *buffer, size_t size, const struct event *event)
{
	size_t length = (size_t)snprintf(buffer, size, "%s%s", event->kind ? event->kind : "unknown", event->is_cut ? " (cut)" : "");

	for (unsigned i = 0; i < event->field_count && length < size; i++)
		length += (size_t)snprintf(buffer + length, size - length, "|%s=%.*s", event->fields[i].name,
					   TEXT_ARGS(event->fields[i].value));
}

/* A name of event_names.def that came by other bytes would be overlooked by all who ask for it. */
static void check_interned(const struct event *event)
{
	if (event->kind)
		CHECK_SAYING(event_kind_intern(event->kind) == event->kind, "kind %s", event->kind);
	for (unsigned i = 0; i < event->field_count; i++)
		CHECK_SAYING(event_name_intern(event->fields[i].name) == event->fields[i].name, "name %s", event->fields[i].name);
}

/* A line with no line before it. */
static void read_alone(const char *process, const char *message, struct event *event)
{
	static struct event_field fields[EVENT_FIELDS_MAX];
	struct format_reader reader;

	CHECK_NUMBER(format_reader_init(&reader, NULL), 0);
	*event = (struct event){ .frame = { .process = text_of(process), .message = text_of(message) }, .fields = fields };
	CHECK_NUMBER(format_read(&reader, event), format_result_of(event));
	format_reader_done(&reader);
}

static void check_cases(const struct format_case *cases, size_t count)
{
	static struct event event;
	char got[2048];

	CHECK_NUMBER(format_prepare(), 0);
	for (size_t i = 0; i < count; i++) {
		read_alone(cases[i].process, cases[i].message, &event);
		check_interned(&event);
		write_event(got, sizeof got, &event);
		CHECK_SAYING(strcmp(got, cases[i].wanted) == 0, "%s: %s\n  got    %s\n  wanted %s", cases[i].process,
			     cases[i].message, got, cases[i].wanted);
	}
}
#define CHECK_CASES(cases) check_cases((cases), sizeof(cases) / sizeof((cases)[0]))

TEST(lines_of_postfix_give_all_their_parts_by_name)
{
	CHECK_CASES(postfix_cases);
}

TEST(what_looks_like_a_field_inside_another_forges_none)
{
	CHECK_CASES(hostile_cases);
}

TEST(lines_of_companions_give_all_their_parts_by_name)
{
	CHECK_CASES(companion_cases);
}

TEST(the_daemon_is_the_last_part_of_the_tag)
{
	static const struct format_case cases[] = {
		{ "postfix/submission/smtpd", "connect from a[192.0.2.1]", "connect|client_name=a|client_addr=192.0.2.1" },
		{ "postfix-out/smtp", "connect to a[192.0.2.1]:25: x", "connect_failed|server_name=a|server_addr=192.0.2.1|server_port=25|error=x" },
		{ "mx1/qmgr", "3A5F2C01E2: removed", "removed|queue_id=3A5F2C01E2" },
		{ "postfix/of-its-own", "3A5F2C01E2: removed", "removed|queue_id=3A5F2C01E2" },
		{ "", "3A5F2C01E2: removed", "removed|queue_id=3A5F2C01E2" },
		{ "sshd", "connect from a[192.0.2.1]", "unknown" },
		{ "postfix/policyd-spf", "prepend Received-SPF: None (x) identity=no SPF record; client-ip=192.0.2.1; helo=h; envelope-from=a@b; receiver=c ",
		  "spf|action=prepend|result=None|comment=x|spf_identity=no SPF record|client_addr=192.0.2.1|helo=h|from=a@b|receiver=c" },
	};

	CHECK_CASES(cases);
}

/* A row of postfix_kinds.cases: takes the next column off the line. */
static char *next_column(char **line)
{
	return strsep(line, "\t");
}

static void count_kind(char *line, unsigned *ret_kinds, unsigned *ret_decoded)
{
	static struct event event;
	char got[2048];
	const char *rank = next_column(&line), *sources = next_column(&line), *process = next_column(&line);
	const char *message = next_column(&line), *wanted = line;

	CHECK_SAYING(wanted != NULL, "rank %s: a column is missing", rank);
	if (!wanted)
		return;
	read_alone(process, message, &event);
	write_event(got, sizeof got, &event);
	(*ret_kinds)++;
	if (strcmp(wanted, "-") == 0) {
		CHECK_SAYING(strcmp(sources, "1") == 0, "rank %s: %s sources have it, and it is not decoded", rank, sources);
		return;
	}
	*ret_decoded += strcmp(got, wanted) == 0;
	CHECK_SAYING(strcmp(got, wanted) == 0, "rank %s: %s: %s\n  got    %s\n  wanted %s", rank, process, message, got, wanted);
}

TEST(every_kind_of_line_that_public_logs_have_is_decoded)
{
	const char *folder = getenv("srcdir");
	char file[1024], line[4096];
	unsigned kinds = 0, decoded = 0;
	FILE *cases;

	CHECK_NUMBER(format_prepare(), 0);
	(void)snprintf(file, sizeof file, "%s/tests/unit/postfix_kinds.cases", folder ? folder : ".");
	cases = fopen(file, "re");
	CHECK_SAYING(cases != NULL, "cannot read '%s'", file);
	if (!cases)
		return;
	while (fgets(line, sizeof line, cases)) {
		line[strcspn(line, "\n")] = '\0';
		if (line[0] != '#')
			count_kind(line, &kinds, &decoded);
	}
	(void)fclose(cases);
	printf("kinds of lines: %u of %u decoded, each part by name (%.1f %%)\n", decoded, kinds,
	       kinds ? 100.0 * decoded / kinds : 0.0);
	CHECK_NUMBER(kinds, 441);
	CHECK(decoded * 100 >= kinds * 95);
}

/* Reads the samples that SMTPTRAIL_SAMPLE_LOGS names; prints the share, which must not fall. */
/* Of lines of that format, how many are understood; of a file of its own each is one. */
struct share {
	unsigned long lines, understood;
};

/* By its process; what stands between the logs of a test suite is of none. */
static bool is_of(const struct event *event, const struct format *format)
{
	struct text process = event->frame.process;
	size_t length = strlen(format->name);

	return process.length && ((format->program && format->program(process) >= 0) ||
				  (process.length >= length && memcmp(process.start, format->name, length) == 0));
}

static void read_sample(struct log_reader *reader, const char *path, const struct format *format, struct share *share)
{
	struct event event;
	enum format_result result;

	if (log_reader_open(reader, path, NULL) != 0)
		return;
	while (log_reader_next(reader, &event, &result) > 0) {
		bool is_mine = is_of(&event, format);

		share->lines += is_mine;
		share->understood += is_mine && result == FORMAT_MATCHED;
	}
}

/* At least so many of a thousand. */
static void check_samples(const char *format, unsigned long least)
{
	const struct log_options options = { .year = 2026 };
	const char *folder = getenv("SMTPTRAIL_SAMPLE_LOGS");
	char command[512], path[512];
	struct log_reader *reader = NULL;
	struct share share = { 0, 0 };
	FILE *names;

	CHECK_NUMBER(log_reader_new(&reader, &options), 0);
	if (!folder || snprintf(command, sizeof command, "find '%s/%s' -type f ! -name '*.yaml' 2>&1", folder, format) < 0) {
		log_reader_free(reader);
		return;
	}
	names = popen(command, "r");
	CHECK(names != NULL);
	while (names && fgets(path, sizeof path, names)) {
		path[strcspn(path, "\n")] = '\0';
		read_sample(reader, path, format_by_name(format), &share);
	}
	if (names)
		(void)pclose(names);
	log_reader_free(reader);
	printf("sample logs: %lu of %lu lines of %s understood (%.2f %%)\n", share.understood, share.lines, format,
	       share.lines ? 100.0 * (double)share.understood / (double)share.lines : 0.0);
	CHECK(share.lines > 0 && share.understood * 1000 >= share.lines * least);
}

TEST(lines_of_the_sample_logs_are_understood)
{
	check_samples("postfix", 995);
	check_samples("sendmail", 990);
	check_samples("exim", 970);
}

TEST(the_page_of_each_format_says_where_how_and_what)
{
	for (const struct format *const *format = format_table; *format; format++) {
		const struct format_page *page = &(*format)->page;

		CHECK_SAYING(page->where && page->get && page->joins && page->tells && page->lacks, "%s", (*format)->name);
	}
}

int main(int argc, char **argv)
{
	return unit_run((const struct unit_test[]){
		UNIT_TEST(lines_of_postfix_give_all_their_parts_by_name),
		UNIT_TEST(what_looks_like_a_field_inside_another_forges_none),
		UNIT_TEST(lines_of_companions_give_all_their_parts_by_name),
		UNIT_TEST(the_daemon_is_the_last_part_of_the_tag),
		UNIT_TEST(every_kind_of_line_that_public_logs_have_is_decoded),
		UNIT_TEST(lines_of_the_sample_logs_are_understood),
		UNIT_TEST(the_page_of_each_format_says_where_how_and_what),
		{ NULL, NULL },
	}, argc, argv);
}
