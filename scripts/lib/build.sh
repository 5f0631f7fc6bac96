# build.sh - builds from a copy of the source; to be sourced by bash.
#
#   build_copy SOURCE FOLDER   copies the source without what autotools and make left in it
#   build_prepare FOLDER       makes configure there, where it is missing or older than its sources
#
# A copy keeps the source as it is, whatever was built in it before, and lets two builds run at a time.

build_generated="./configure ./configure~ ./aclocal.m4 ./Makefile.in ./Makefile ./config.h ./config.h.in ./config.log
	./config.status ./stamp-h1 ./autom4te.cache ./build-aux ./build ./.git"

build_copy()
{
	local source=$1 folder=$2 name exclude=()

	for name in $build_generated; do
		exclude+=("--exclude=$name")
	done
	mkdir -p "$folder"
	tar -C "$source" -cf - --anchored "${exclude[@]}" --no-anchored --exclude='*.o' --exclude='*.a' --exclude=.deps \
		--exclude=.dirstamp --exclude=__pycache__ . | tar -C "$folder" -xf - --no-same-owner
}

build_prepare()
(
	cd "$1" || exit 1
	if [ ! -x configure ] || [ -n "$(find . -newer configure \( -name configure.ac -o -name '*.am' -o -name '*.mk' \) -print -quit)" ]; then
		autoreconf -fi
	fi
)
