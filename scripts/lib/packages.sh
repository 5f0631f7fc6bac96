# packages.sh - Debian packages for the demo and the checks; to be sourced by bash.
#
#   packages_install NAME...   installs those that are missing, removes none, starts and enables no service
#   packages_postfix           makes a Postfix available without replacing another MTA; sets and
#                              exports SMTPTRAIL_POSTFIX_ROOT (empty: the system's own)
#   packages_sendmail          unpacks a Sendmail, which no machine can have beside Postfix; sets and exports
#                              SMTPTRAIL_SENDMAIL_ROOT (empty: it cannot be had, which is said)
#
# What is installed is said on standard output. While packages are unpacked, a temporary policy-rc.d
# forbids their services to start; what was there before comes back, also after an interruption. A
# lock keeps scripts that run beside each other apart.

# What a build, all tests and the demo need (Debian 12 names), for those who source this.
# shellcheck disable=SC2034
{
PACKAGES_BUILD="gcc libc6-dev make autoconf automake pkg-config libmilter-dev libhiredis-dev
	libconfuse-dev libcsv-dev libjansson-dev libssl-dev libsystemd-dev libunbound-dev libpsl-dev libidn2-dev
	libspf2-dev libopendkim-dev libpcre2-dev libsqlite3-dev libyaml-dev publicsuffix xz-utils
	zlib1g-dev libbz2-dev liblzma-dev libzstd-dev"
PACKAGES_LIVE="ldnsutils nsd python3 python3-dkim python3-dns python3-nacl python3-spf redis-server redis-tools sqlite3 openssl stunnel4
	sasl2-bin libsasl2-modules iproute2 m4"
PACKAGES_CHECK="chromium chromium-driver clang fonts-dejavu-core libclang-rt-14-dev strace systemd-journal-remote valgrind zsh"
# What the benches compare with; nothing else needs it.
PACKAGES_BENCH="goaccess logwatch opendkim opendmarc pflogsumm python3-milter python3-redis ripgrep rspamd strace valgrind"
}

packages_lock=/run/smtptrail-packages.lock
packages_policy=/usr/sbin/policy-rc.d
packages_policy_saved=/usr/sbin/policy-rc.d.smtptrail-saved
packages_policy_mark='placed by smtptrail for the time of an installation'
packages_wait_seconds=600

packages_say()
{
	printf '%s\n' "packages: $*"
}

packages_need_root()
{
	[ "$(id -u)" -eq 0 ] && return 0
	printf '%s\n' "${0##*/}: must run as root (it installs Debian packages and starts a private Postfix): sudo $0" >&2
	return 1
}

packages_is_installed()
{
	[ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# The names among the arguments that are not installed.
packages_missing()
{
	local name

	for name in "$@"; do
		packages_is_installed "$name" || printf '%s\n' "$name"
	done
}

packages_apt_get()
{
	DEBIAN_FRONTEND=noninteractive LC_ALL=C apt-get -q -y -o DPkg::Lock::Timeout="$packages_wait_seconds" \
		-o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold "$@" </dev/null 9>&-
}

# apt's own waiting does not cover the lock of the lists, so that is tried again until the time is up.
packages_update()
{
	local deadline=$((SECONDS + packages_wait_seconds)) output

	packages_say "fetching the package lists"
	until output=$(packages_apt_get update 2>&1); do
		case $output in
		*'Could not get lock'*|*'Unable to lock'*) ;;
		*) printf '%s\n' "$output" >&2; return 1 ;;
		esac
		if [ "$SECONDS" -ge "$deadline" ]; then
			printf '%s\n' "apt's lock was held for $packages_wait_seconds s: try again when the other apt is done" >&2
			return 1
		fi
		sleep 2
	done
}

# The lists' own dates are the archive's; the folder's is that of the last update.
packages_lists_are_fresh()
{
	[ -n "$(find /var/lib/apt/lists -maxdepth 0 -mtime -1 2>/dev/null)" ] &&
		[ -n "$(find /var/lib/apt/lists -maxdepth 1 -name '*_Packages*' -print -quit)" ]
}

# An interrupted run may have left its own policy-rc.d, or the saved one: both are put right first.
packages_policy_restore()
{
	if [ -e "$packages_policy_saved" ] || [ -L "$packages_policy_saved" ]; then
		mv -f "$packages_policy_saved" "$packages_policy"
	elif grep -qs "$packages_policy_mark" "$packages_policy"; then
		rm -f "$packages_policy"
	fi
}

packages_policy_forbid()
{
	packages_policy_restore
	if [ -e "$packages_policy" ] || [ -L "$packages_policy" ]; then
		mv -f "$packages_policy" "$packages_policy_saved"
	fi
	printf '%s\n' '#!/bin/sh' "# $packages_policy_mark" 'exit 101' >"$packages_policy.smtptrail-new"
	chmod 755 "$packages_policy.smtptrail-new"
	mv -f "$packages_policy.smtptrail-new" "$packages_policy"
}

# What starts at boot: links of systemd's targets and of System V's run levels.
packages_boot_links()
{
	find /etc/systemd/system /etc/rc[0-9S].d -type l \( -path '*.wants/*' -o -path '*.requires/*' -o -name 'S[0-9]*' \) \
		2>/dev/null | sort
}

# Takes back what the installation enabled: a service starts at boot only where its owner wants it to.
packages_disable_new()
{
	local before=$1 link name

	packages_boot_links | comm -13 <(printf '%s\n' "$before") - | while IFS= read -r link; do
		name=${link##*/}
		case $link in
		/etc/rc*)
			name=${name#S[0-9][0-9]}
			update-rc.d "$name" disable >/dev/null 2>&1 9>&- || true
			;;
		*)
			systemctl disable "$name" >/dev/null 2>&1 9>&- || rm -f "$link"
			;;
		esac
		packages_say "not enabled at boot: ${name%.service}"
	done | sort -u
}

# A subshell: its traps and its lock end with it. "$1" is debconf's answers, or empty.
packages_install_locked()
(
	answers=$1
	shift
	exec 9>"$packages_lock"
	if ! flock -w "$packages_wait_seconds" 9; then
		printf '%s\n' "another installation holds $packages_lock for more than $packages_wait_seconds s" >&2
		exit 1
	fi
	mapfile -t missing < <(packages_missing "$@")
	[ "${#missing[@]}" -gt 0 ] || exit 0

	trap 'packages_policy_restore' EXIT
	trap 'exit 129' HUP
	trap 'exit 130' INT
	trap 'exit 143' TERM
	packages_policy_forbid
	boot_links=$(packages_boot_links)
	packages_lists_are_fresh || packages_update || exit 1
	packages_say "installing ${missing[*]}"
	[ -z "$answers" ] || printf '%s\n' "$answers" | debconf-set-selections 9>&-
	log=$(mktemp)
	for try in first second; do
		if packages_apt_get install --no-install-recommends --no-remove "${missing[@]}" >"$log" 2>&1; then
			sed -n 's/^Setting up \([^ ]*\) (\([^)]*\)).*/packages: installed \1 \2/p' "$log"
			rm -f "$log"
			packages_disable_new "$boot_links"
			exit 0
		fi
		# Lists older than the archive name files that are gone.
		[ "$try" = second ] || packages_update || break
	done
	cat "$log" >&2
	rm -f "$log"
	packages_disable_new "$boot_links"
	printf '%s\n' "could not install: ${missing[*]}" >&2
	exit 1
)

packages_install()
{
	[ -n "$(packages_missing "$@")" ] || return 0
	packages_need_root && packages_install_locked '' "$@"
}

# The installed package that is this machine's MTA, if any.
packages_mta()
{
	dpkg-query -W -f '${db:Status-Status} ${Package} ${Provides}\n' |
		sed -n 's/^installed \([^ ]*\) \(.*, \)\?mail-transport-agent\(,.*\| .*\)\?$/\1/p' | head -n 1
}

# Packages of libraries that a package needs and this machine lacks.
packages_libraries()
{
	local queue=("$1") seen=' ' name

	while [ "${#queue[@]}" -gt 0 ]; do
		for name in $(apt-cache depends --important "${queue[0]}" |
			      sed -n 's/^ *|\{0,1\}\(Pre\)\{0,1\}Depends: \(lib[^ :]*\)$/\2/p'); do
			case $seen in *" $name "*) continue ;; esac
			seen="$seen$name "
			packages_is_installed "$name" && continue
			queue+=("$name")
			printf '%s\n' "$name"
		done
		queue=("${queue[@]:1}")
	done
}

# Unpacks packages beside the system: the first one's program is wanted, the others go with it. Prints nothing
# but the folder, which is NAME-VERSION.
packages_extract()
(
	name=$1
	shift
	version=$(apt-cache show --no-all-versions "$1" 2>/dev/null | sed -n 's/^Version: //p')
	if [ -z "$version" ]; then
		packages_update >&2 || exit 1
		version=$(apt-cache show --no-all-versions "$1" | sed -n 's/^Version: //p')
	fi
	[ -n "$version" ] || exit 1
	# Some of an MTA's processes run as another user: each folder on the way must be open to all.
	umask 022
	folder=/var/cache/smtptrail/$name-$version
	exec 9>"$packages_lock"
	flock -w "$packages_wait_seconds" 9 || exit 1
	if [ ! -d "$folder" ]; then
		mkdir -p /var/cache/smtptrail
		work=$(mktemp -d /var/cache/smtptrail/new.XXXXXX)
		trap 'rm -rf "$work"' EXIT
		trap 'exit 130' INT
		trap 'exit 143' TERM
		mkdir "$work/root" && cd "$work" || exit 1
		chmod 755 "$work" "$work/root"
		mapfile -t libraries < <(packages_libraries "$1")
		packages_say "unpacking $* ${libraries[*]} into $folder; nothing is installed" >&2
		if ! packages_apt_get download "$@" "${libraries[@]}" >log 2>&1 &&
		   ! { packages_update >&2 && packages_apt_get download "$@" "${libraries[@]}" >log 2>&1; }; then
			cat log >&2
			exit 1
		fi
		for package in ./*.deb; do
			dpkg -x "$package" root || exit 1
		done
		mv "$work/root" "$folder" || exit 1
	fi
	printf '%s\n' "$folder"
)

packages_postfix()
{
	local mta

	SMTPTRAIL_POSTFIX_ROOT=
	mta=$(packages_mta)
	if [ "${SMTPTRAIL_POSTFIX:-}" = extract ] || { [ -n "$mta" ] && [ "$mta" != postfix ]; }; then
		packages_need_root || return 1
		SMTPTRAIL_POSTFIX_ROOT=$(packages_extract postfix postfix) || return 1
		packages_say "using Postfix from $SMTPTRAIL_POSTFIX_ROOT"
	elif ! packages_is_installed postfix; then
		packages_need_root || return 1
		# "No configuration" leaves the system's Postfix without a main.cf, so that nothing can start it.
		packages_install_locked 'postfix postfix/main_mailer_type select No configuration' postfix || return 1
	fi
	export SMTPTRAIL_POSTFIX_ROOT
}

packages_sendmail()
{
	SMTPTRAIL_SENDMAIL_ROOT=
	packages_need_root || return 1
	SMTPTRAIL_SENDMAIL_ROOT=$(packages_extract sendmail sendmail-bin sendmail-cf) ||
		packages_say "no Sendmail can be had: its tests are skipped"
	export SMTPTRAIL_SENDMAIL_ROOT
}
