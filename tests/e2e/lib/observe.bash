# What the network saw: captures by tcpdump, read back by pcap.py.
# shellcheck shell=bash

# capture_start NAME [SIDE [DEVICE]]: captures TCP in $BATS_FILE_TMPDIR/NAME.pcap; SIDE is server
# (default) or client, DEVICE eth0 (default), lo or wire0. Returns when it is capturing. Its buffer
# holds as many frames as their size allows: CAPTURE_BYTES, where set, is what a frame may have, for
# a flood of small ones.
capture_start() {
	local name=$1 side=${2:-server} device=${3:-eth0}
	start_background "capture-$name" "in_$side" tcpdump -i "$device" -Z root -U -n \
		--immediate-mode -B 32768 -s "${CAPTURE_BYTES:-66000}" -w "$BATS_FILE_TMPDIR/$name.pcap" 'tcp or udp port 9'
	echo "$side $device" >"$BATS_FILE_TMPDIR/$name.where"
	wait_for 10 grep -q '^tcpdump: listening on' "$BATS_FILE_TMPDIR/capture-$name.out"
}

# capture_stop NAME: ends it when it has written all that passed so far. A datagram that is sent
# now says when: what came before it is in the file once it is.
capture_stop() {
	local name=$1 side device mark=calmd-mark-$RANDOM$RANDOM
	read -r side device <"$BATS_FILE_TMPDIR/$name.where"
	# shellcheck disable=SC2016
	"in_$side" bash -c '
		own=$(ip -o -4 address show dev "$1" | sed "s/.* inet \([0-9.]*\).*/\1/;q")
		case $own in
		*.*.*.1) other=${own%.1}.2 ;;
		*) other=${own%.*}.1 ;;
		esac
		[ "$1" != lo ] || other=127.0.0.1
		echo "$2" >"/dev/udp/$other/9"' mark "$device" "$mark"
	wait_for 10 grep -qa "$mark" "$BATS_FILE_TMPDIR/$name.pcap" || return 1
	stop_background "capture-$name"
}

# segments NAME [FILTER]...: the TCP segments of a capture, one a line; pcap.py has the filters.
segments() {
	local name=$1
	shift
	"$E2E/pcap.py" "$BATS_FILE_TMPDIR/$name.pcap" "$@"
}

# count_segments NAME [FILTER]...
count_segments() {
	segments "$@" | wc -l
}
