# Completion of calmctl(8) for bash: commands and options as --help has them, and the
# numbers of the connections that there are, or the sources, for the commands that take one.
# shellcheck shell=bash

# What calmctl's --help says about commands: lines of "  COMMAND ARGUMENTS  text".
_calmctl_help() {
	calmctl --help 2>/dev/null | sed -n 's/^  \([a-z].*\)/\1/p'
}

_calmctl() {
	local word=${COMP_WORDS[COMP_CWORD]} command='' socket=() i=1 words=''
	while [ "$i" -lt "$COMP_CWORD" ]; do
		case ${COMP_WORDS[i]} in
		-s | --socket)
			i=$((i + 1))
			socket=(-s "${COMP_WORDS[i]}")
			;;
		--socket=*) socket=("${COMP_WORDS[i]}") ;;
		-*) ;;
		*)
			command=${COMP_WORDS[i]}
			break
			;;
		esac
		i=$((i + 1))
	done
	if [ "$i" -gt "$COMP_CWORD" ]; then
		compopt -o default
		COMPREPLY=()
		return
	fi
	if [ -z "$command" ]; then
		words="$(_calmctl_help | cut -d ' ' -f 1) --socket --json --help --version"
	elif [ "$command" = list ]; then
		words=--sources
	elif [ "$command" = ban ] || [ "$command" = unban ]; then
		words=$(calmctl "${socket[@]}" list --sources 2>/dev/null | awk 'NR > 1 { print $1 }')
	elif _calmctl_help | grep -q "^$command\( .*\)\? ID\b"; then
		words=$(calmctl "${socket[@]}" list 2>/dev/null | awk 'NR > 1 { print $1 }')
	fi
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}

complete -F _calmctl calmctl
