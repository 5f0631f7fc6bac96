# failures.sh - which tests failed, and what each of them said; to be sourced by bash.
#
#   failures_show LOG    each failed test and the end of its own output; of a build, what the compiler found wrong
#   failures_names LOG   the names alone, one a line
#   failures_reasons LOG "NAME: reason", one a line: the last thing that it called FAILED, or else the last that it said
#
# LOG is what "make check VERBOSE=1" (automake, which then shows the log of each failed test), tests/live/run and
# scripts/fuzz print. What is shown is bounded: whoever keeps it may cut it.

failures_tests_shown=8 failures_lines_shown=50 failures_width=300

# A test's own output stands between "FAIL: NAME", underlined, and "FAIL NAME (exit status: N)"; or behind
# "FAILED  NAME", indented.
failures_show()
{
	awk -v tests="$failures_tests_shown" -v lines="$failures_lines_shown" -v width="$failures_width" '
		function begin(new, is_underlined)
		{
			end()
			name = new
			underlined = is_underlined
			count = 0
		}
		function keep(text)
		{
			if (count || text ~ /[^ ]/)
				kept[count++ % lines] = substr(text, 1, width)
		}
		function end(    i, words)
		{
			if (name != "" && !shown[name]++) {
				words = count > lines ? "the end of what it said:" : "it said:"
				if (count == 0)
					words = "it said nothing."
				else if (++number > tests)
					words = "what others said stands above."
				print name " failed; " words
				for (i = count > lines ? count - lines : 0; i < count && number <= tests; i++)
					print "    " kept[i % lines]
			}
			name = ""
		}

		name != "" && underlined && $1 ~ /^(FAIL|XPASS|ERROR)$/ && $2 == name { end(); next }
		name != "" && underlined  { keep($0); next }
		name != "" && /^    /     { keep(substr($0, 5)); next }
		name != ""                { end() }
		/^FAILED +[^ ]/           { begin($2, 0) }
		/^=+$/ && length($0) == heading_length { begin(heading, 1) }
		                          { heading_length = 0 }
		/^(FAIL|XPASS|ERROR): [^ ]+$/ {
			heading = $2
			heading_length = length($0)
			if (!named[heading]++)
				order[++names] = heading
		}
		/: (fatal )?error: |: undefined reference to |^configure: error: / && errors++ < lines { print substr($0, 1, width) }
		END {
			end()
			for (i = 1; i <= names; i++)
				if (!shown[order[i]])
					print order[i] " failed; what it said is not here."
		}' "$1"
}

failures_names()
{
	failures_show "$1" | sed -n 's/^\([^ ]*\) failed; .*/\1/p'
}

# A line that names a case alone is preceded by what was not so.
failures_reasons()
{
	failures_show "$1" | awk -v tests="$failures_tests_shown" -v width="$failures_width" '
		function end()
		{
			if (name != "" && ++number <= tests)
				print substr(name ": " (failed != "" ? failed : last != "" ? last : "it said nothing that is here"), 1, width)
			name = failed = last = ""
		}
		/^[^ ]+ failed; / {
			end()
			name = $1
			next
		}
		!/^    / { next }
		{
			sub(/^ +/, "")
			if (/^(FAILED|SUMMARY:)/)
				failed = $0 (/^FAILED +[^ :]+ *$/ && last != "" && last !~ /^(ok|FAILED) / ? ": " last : "")
			last = $0
		}
		END {
			end()
			if (number > tests)
				printf "and %d more, named above\n", number - tests
		}'
}
