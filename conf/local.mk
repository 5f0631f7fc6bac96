# conf/local.mk - sample configuration, MTA snippets, service files, completion.
examplesdir = $(pkgdatadir)/examples
dist_examples_DATA = conf/smtptrail-milter.conf.sample conf/smtptrail.conf.sample \
	conf/postfix-main.cf.example conf/sendmail.mc.example conf/redis.conf.example conf/redis-acl.example \
	conf/stunnel-redis.conf.example \
	conf/smtptrail.sysusers.conf conf/smtptrail.tmpfiles.conf
nodist_examples_DATA = conf/smtptrail-milter.service conf/smtptrail-ingest.service

bashcompletiondir = $(datadir)/bash-completion/completions
nodist_bashcompletion_DATA = conf/completion/smtptrail
zshcompletiondir = $(datadir)/zsh/site-functions
dist_zshcompletion_DATA = conf/completion/_smtptrail

CLEANFILES += conf/smtptrail-milter.service conf/smtptrail-ingest.service conf/completion/smtptrail
conf/smtptrail-milter.service: conf/smtptrail-milter.service.in Makefile
	$(AM_V_GEN)$(MKDIR_P) conf && $(SED) 's,[@]sbindir[@],$(sbindir),' $(srcdir)/conf/smtptrail-milter.service.in > $@.tmp && \
		mv $@.tmp $@

conf/smtptrail-ingest.service: conf/smtptrail-ingest.service.in Makefile
	$(AM_V_GEN)$(MKDIR_P) conf && $(SED) 's,[@]bindir[@],$(bindir),' $(srcdir)/conf/smtptrail-ingest.service.in > $@.tmp && \
		mv $@.tmp $@

# bash finds a completion by the name of the program.
conf/completion/smtptrail: conf/completion/smtptrail.bash
	$(AM_V_GEN)$(MKDIR_P) conf/completion && cp $(srcdir)/conf/completion/smtptrail.bash $@

EXTRA_DIST += conf/README.md conf/smtptrail-milter.service.in conf/smtptrail-ingest.service.in conf/completion/smtptrail.bash
