# What the checks share: TAP, and which files there are. To be sourced.
# shellcheck shell=bash

cd "${CALMD_SRCDIR:-$(dirname "${BASH_SOURCE[0]}")/../..}" || exit 1
build=${CALMD_BUILDDIR:-$PWD}
number=0

# report DESCRIPTION [COMPLAINTS]: a test that passes when there are none.
report() {
	number=$((number + 1))
	if [ -z "${2:-}" ]; then
		printf 'ok %d - %s\n' "$number" "$1"
	else
		printf 'not ok %d - %s\n' "$number" "$1"
		printf '%s\n' "$2" | sed 's/^/# /'
	fi
}

skip() {
	number=$((number + 1))
	printf 'ok %d - %s # SKIP %s\n' "$number" "$1" "$2"
}

finish() {
	printf '1..%d\n' "$number"
}

# sources FOLDER...: the C files that git knows, or all where git knows nothing.
sources() {
	if git rev-parse --is-inside-work-tree >/dev/null 2>&1 && [ -n "$(git ls-files -- "$1")" ]; then
		git ls-files -- "$@" | grep '\.[ch]$' | while read -r file; do
			if [ -e "$file" ]; then echo "$file"; fi
		done
	else
		find "$@" -name '*.[ch]' | sort
	fi
}
