#!/usr/bin/env bats
# What nmap makes of calmd's TCP: initial sequence numbers as hard to predict as the kernel's. Needs root.

load lib

setup_file() {
	make_network
}

# difficulties PORT: nmap's "sequence prediction difficulty" of three looks at the server's PORT, the
# lowest first. It is eight times the binary logarithm of how far the increments of six initial
# sequence numbers scatter, so it scatters a little itself.
difficulties() {
	local i
	for i in 1 2 3; do
		in_client nmap -n -Pn -O -v -v -p "$1,1" --max-os-tries 1 "$SERVER4" >"$BATS_TEST_TMPDIR/nmap-$1-$i"
		sed -n 's/^TCP Sequence Prediction: Difficulty=\([0-9]*\).*/\1/p' "$BATS_TEST_TMPDIR/nmap-$1-$i"
	done | sort -n
}

listening() {
	in_server ss -Hltn 'sport = 5000' | grep -q .
}

@test "nmap finds calmd's initial sequence numbers as hard to predict as the kernel's" {
	command -v nmap >/dev/null || skip "nmap is not installed"
	start_calmd
	start_background kernel in_server nc -dlk "$SERVER4" 5000
	wait_for 5 listening
	mapfile -t own < <(difficulties "$PORT")
	mapfile -t kernel < <(difficulties 5000)
	stop_background kernel
	echo "# sequence prediction difficulty: calmd ${own[*]}, the kernel ${kernel[*]}" >&3
	assert_equal "looks at calmd" "${#own[@]}" 3
	assert_equal "looks at the kernel" "${#kernel[@]}" 3
	# The middle one, less what two looks at the same kernel differ by.
	[ "${own[1]}" -ge $((kernel[1] - 8)) ]
	grep -h '^TCP Sequence Prediction' "$BATS_TEST_TMPDIR/nmap-$PORT-1"
	stop_calmd
}
