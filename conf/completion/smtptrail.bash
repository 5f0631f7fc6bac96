# smtptrail.bash - completion for bash: verbs, options and words are what --help of the program says.
# The words that values of a field are; those of several are left out.
_smtptrail_words() {
	smtptrail fields --words 2> /dev/null | sed -n "s/^${1//[^a-z_.]/}  *//p" | sed 's/, /\n/g' | grep -v ' '
}
_smtptrail() {
	local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} verb=${COMP_WORDS[1]}

	COMPREPLY=()
	[ "$before" != @ ] || word=@$word
	# Where bash breaks words at :, field, : and value are three of them.
	local field= value=$word begin=
	case $before,$word in
	:,*) field=${COMP_WORDS[COMP_CWORD - 2]} ;;
	*,:) field=$before value= ;;
	*,*:*) field=${word%%:*} value=${word#*:} begin=$field: ;;
	esac
	if [ "$COMP_CWORD" -eq 1 ]; then
		case $word in
		-*) mapfile -t COMPREPLY < <(compgen -W "--help --version" -- "$word") ;;
		*) mapfile -t COMPREPLY < <(compgen -W "$(smtptrail --help 2> /dev/null |
			sed -n 's/^  \([a-z][a-z-]*\)  .*/\1/p')" -- "$word") ;;
		esac
		return
	fi
	case $before in
	--stage)
		mapfile -t COMPREPLY < <(compgen -W "$(smtptrail fields 2> /dev/null |
			sed -n 's/^| `\([a-z]*\)` | [^|]* |$/\1/p')" -- "$word")
		return ;;
	--file | --config | --log | --position | --reasons | --html | --to | --state)
		mapfile -t COMPREPLY < <(compgen -f -- "$word")
		return ;;
	--store | --journal)
		mapfile -t COMPREPLY < <(compgen -d -- "$word")
		return ;;
	--format)
		mapfile -t COMPREPLY < <(compgen -W "$(smtptrail fields --formats 2> /dev/null |
			sed -n 's/^\([a-z][a-z0-9_-]*\): .*/\1/p')" -- "$word")
		return ;;
	--as)
		mapfile -t COMPREPLY < <(compgen -W "ndjson csv sql" -- "$word")
		return ;;
	--severity)
		mapfile -t COMPREPLY < <(compgen -W "notice warning critical" -- "$word")
		return ;;
	esac
	if [ -n "$field" ]; then
		mapfile -t COMPREPLY < <(compgen -P "$begin" -W "$(_smtptrail_words "$field")" -- "$value")
		[ ${#COMPREPLY[@]} -eq 0 ] || return 0
	fi
	case $verb:$word in
	*:-*)
		mapfile -t COMPREPLY < <(compgen -W "--help $(smtptrail "$verb" --help 2> /dev/null |
			sed -nE '1p; s/^  (--[a-z-]+(, --[a-z-]+)*).*/\1/p' | grep -oE -- '--[a-z][a-z-]*' | sort -u)" -- "$word") ;;
	*:@*)
		mapfile -t COMPREPLY < <(compgen -W "$(smtptrail fields --saved 2> /dev/null | sed 's/ .*//')" -- "$word")
		# Where bash breaks words at @, what replaces the rest has none.
		[[ $COMP_WORDBREAKS != *@* ]] || COMPREPLY=("${COMPREPLY[@]#@}") ;;
	report:* | audit:*)
		mapfile -t COMPREPLY < <(compgen -W "$(smtptrail "$verb" --list 2> /dev/null | sed -n 's/^\([a-z]*\)  .*/\1/p')" -- "$word"
			compgen -f -- "$word") ;;
	search:* | trace:* | export:* | explain:* | watch:*)
		compopt -o nospace 2> /dev/null
		mapfile -t COMPREPLY < <(compgen -S : -W "$(smtptrail fields --query 2> /dev/null | sed -n 's/^\([a-z_]*\)  .*/\1/p')" -- "$word"
			compgen -f -- "$word") ;;
	store:*)
		mapfile -t COMPREPLY < <(compgen -W "stat check prune forget" -- "$word") ;;
	journal:*)
		if [ "$COMP_CWORD" -eq 2 ]; then
			mapfile -t COMPREPLY < <(compgen -W "dump verify stat" -- "$word")
		else
			mapfile -t COMPREPLY < <(compgen -d -- "$word")
		fi ;;
	esac
}
complete -F _smtptrail smtptrail
