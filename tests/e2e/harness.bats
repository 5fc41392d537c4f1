#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031 # tests set what only they use
# The tools that the end-to-end tests are built on, tried against the kernel's own TCP and against
# small stand-ins, so that a failure of theirs is not taken for one of calmd. Needs root.

load lib

setup_file() {
	make_network
	for address in "$SERVER4" "$SERVER6"; do
		start_background "echo-$address" in_server python3 -c '
import socket, sys
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
with socket.create_server((sys.argv[1], 7), family=family) as server:
    while True:
        client, _ = server.accept()
        try:
            while data := client.recv(65536):
                client.sendall(data)
        except ConnectionError:
            pass
        client.close()' "$address"
	done
	wait_for 5 echo_listens "$SERVER4"
	wait_for 5 echo_listens "$SERVER6"
}

echo_listens() {
	in_server ss -Hltn "src [$1]:7" | grep -q .
}

peer_talks_to_echo() {
	run_peer "$1" "$2" <<-'END'
		with Peer(sys.argv[1], sys.argv[2], 4000, 7) as peer:
		    peer.send("S")
		    reply = peer.expect("SA", ack=peer.iss + 1 & 0xffffffff, strict=True)
		    assert reply.mss == (1440 if peer.v6 else 1460) and reply.checksum_ok, reply
		    peer.send("A")
		    peer.silent(0.2)
		    peer.send("PA", b"hello")
		    echoed = peer.expect("PA", data=b"hello")
		    peer.send("A")
		    peer.write(bytes(3000))
		    assert peer.read_until(b"hello") == b"hello"
		    peer.close()
		    assert peer.received == b"hello" + bytes(3000)
		    peer.send("A", seq=peer.snd_nxt - 1)
		    peer.expect("R", timeout=3)   # the kernel knows nothing of it any more
	END
}

@test "the scripted peer shakes hands, exchanges data and closes (IPv4)" {
	peer_talks_to_echo "$CLIENT4" "$SERVER4"
}

@test "the scripted peer shakes hands, exchanges data and closes (IPv6)" {
	peer_talks_to_echo "$CLIENT6" "$SERVER6"
}

@test "the scripted peer works over loopback" {
	for address in 127.0.0.1 ::1; do
		run_peer_local "$address" <<-'END'
			import socket
			family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
			with socket.create_server((sys.argv[1], 8), family=family):
			    peer = Peer(sys.argv[1], sys.argv[1], 4001, 8)
			    peer.connect()
			    peer.abort()
		END
	done
}

@test "the scripted peer can be called, too" {
	run_peer <<-'END'
		import subprocess
		peer = Peer(CLIENT4, SERVER4, 4002, timestamps=True, sack=True, wscale=3)
		caller = subprocess.Popen(["ip", "netns", "exec", os.environ["SERVER_NS"],
		                           "nc", "-N", CLIENT4, "4002"],
		                          stdin=subprocess.PIPE, stdout=subprocess.PIPE)
		syn = peer.accept()
		assert syn.sack_permitted and syn.wscale is not None and syn.timestamps
		caller.stdin.write(b"from the caller\n")
		caller.stdin.close()
		assert peer.read_until(None) == b"from the caller\n"
		peer.send("PA", b"to the caller")
		peer.close()
		assert caller.stdout.read() == b"to the caller"
	END
}

@test "wrong segments arrive as wrong as they were sent" {
	capture_start wrong server
	run_peer <<-'END'
		with Peer(CLIENT4, SERVER4, 4003, 7) as peer:
		    peer.send("S", sum_field=1)
		    peer.silent(0.3)
		    peer.send("SFRPU", seq=1, urgent=5, options=b"\x02\x00\x00\x00")
		    peer.send_ip(tcp.build_ip(peer.src, peer.dst, peer.build("S")[:15]))
		    peer.send_ip(tcp.build_ip(peer.src, peer.dst, peer.build("S", data_offset=4)))
	END
	capture_stop wrong
	segments wrong
	assert_equal "bad checksums" "$(segments wrong --flags S | grep -c badsum)" 1
	assert_equal "strange flags" "$(count_segments wrong --flags SFRU --to "$SERVER4.7")" 1
}

@test "a forged ICMP error is formed well enough for the kernel to take it" {
	run_peer "$SERVER_NS" <<-'END'
		import subprocess
		for src, dst in ((CLIENT4, SERVER4), (CLIENT6, SERVER6)):
		    with Peer(src, dst, 4004, 7) as peer:
		        peer.connect()
		        peer.send("PA", b"x")
		        peer.expect("PA")
		        peer.send_too_big(1300)
		        wait_until(lambda: "mtu 1300" in subprocess.run(
		            ["ip", "-n", sys.argv[1], "route", "get", src],
		            capture_output=True, text=True).stdout, what="path MTU")
		        peer.abort()
	END
}

@test "a capture holds every segment from its start to its stop" {
	capture_start session server
	echo hello | in_client nc -N "$SERVER4" 7 | grep -qx hello
	capture_stop session
	segments session
	assert_equal "bare SYNs" "$(count_segments session --flags S --from "$CLIENT4")" 1
	assert_equal "SYN-ACKs" "$(count_segments session --flags SA --from "$SERVER4.7")" 1
	assert_equal FINs "$(count_segments session --with F)" 2
	assert_equal RSTs "$(count_segments session --with R)" 0
	assert_match "data from the client" "$(segments session --data --to "$SERVER4.7")" 'len=6'
}

@test "the flood of SYNs arrives, from as many addresses" {
	CAPTURE_BYTES=128 capture_start flood server
	run -0 in_client "$CALMD_BUILDDIR/tests/e2e/synflood" -n 1000 "$SERVER4" 9999
	run -0 in_client "$CALMD_BUILDDIR/tests/e2e/synflood" -n 1000 "$SERVER6" 9999
	capture_stop flood
	assert_equal SYNs "$(segments flood --flags S | grep -vc badsum)" 2000
	[ "$(segments flood --flags S | awk '{ print $2 }' | sort -u | wc -l)" -gt 1900 ]
}

@test "the flood refuses to run in the host's namespace" {
	run -1 "$CALMD_BUILDDIR/tests/e2e/synflood" -n 1 127.0.0.1 9
	assert_match message "$output" refusing
}

@test "an interactive program is driven by steps, on a terminal" {
	run -3 drive sh <<-'END'
		expect [$#] $
		send stty size\n
		expect 24 80
		resize 50 132
		send stty size\n
		expect 50 132\r\n# $
		send echo one-\x41\n
		expect ^one-A\r\n# $
		send exit 3\n
		wait
	END
}

@test "a program on pipes is driven by steps, and its exit status comes back" {
	run -0 drive --pipe nc -N "$SERVER4" 7 <<-'END'
		send ping\n
		expect ^ping$
		eof
	END
}

@test "a step that does not come true ends the program" {
	run -124 drive --timeout 1 cat <<-'END'
		send hello\n
		expect goodbye
	END
	assert_match message "$output" 'expect goodbye: 1.0 s passed'
}

@test "no process of a daemon gets lost, even one that forks away" {
	mkdir -p "$BATS_TEST_TMPDIR/daemon"
	CALMD_DIR=$BATS_TEST_TMPDIR/daemon
	set_calmd_dir
	"$E2E/watch.py" run "$CALMD_DIR" sh -c 'setsid -f sleep 1000; exec sleep 1000' 3>&- 4>&- &
	echo $! >"$CALMD_DIR/watcher"
	disown
	wait_for 5 test -e "$CALMD_DIR/pid"
	wait_for 5 two_processes
	kill -TERM "$(calmd_pid)"
	wait_for 5 calmd_ended
	assert_equal "how it ended" "$(<"$CALMD_DIR/ended")" "signal 15"
	run ! no_process_left
	assert_match message "$output" 'sleep 1000'
	remove_calmd
	unset CALMD_DIR
}

two_processes() {
	[ "$(calmd_processes | wc -l)" -eq 2 ]
}

# stand_in [SCRIPT]: a build directory whose calmd runs SCRIPT, and whose calmctl answers as soon as
# there is a control file.
stand_in() {
	export CALMD_BUILDDIR=$BATS_TEST_TMPDIR/build CALMD_DIR=$BATS_TEST_TMPDIR/calmd
	mkdir -p "$CALMD_BUILDDIR/daemon"
	printf '#!/bin/sh\n%s\n' "$1" >"$CALMD_BUILDDIR/daemon/calmd"
	# shellcheck disable=SC2016
	printf '#!/bin/sh\n[ -e "$2" ] && echo %s\n' "'{\"quiet\": {\"left_s\": 3}}'" >"$CALMD_BUILDDIR/daemon/calmctl"
	chmod +x "$CALMD_BUILDDIR"/daemon/*
}

# shellcheck disable=SC2016
@test "a daemon is started, asked and stopped" {
	stand_in 'trap "exit 0" TERM; echo "$@"; touch "$CALMD_DIR/control"; while :; do sleep 0.01; done'
	start_calmd -o msl=1s
	assert_match options "$(<"$CALMD_DIR/log")" "control-socket=$CALMD_DIR/control .*-o msl=1s\$"
	assert_equal left_s "$(ctl_get quiet.left_s status)" 3
	wait_for 1 ctl_is quiet.left_s 3 status
	run ! wait_for 1 ctl_is quiet.left_s 4 status
	stop_calmd
	remove_calmd
}

@test "a daemon that ends at its start, ends badly or leaves a process is noticed" {
	stand_in 'echo "no good" >&2; exit 1'
	run -1 start_calmd
	assert_match message "$output" 'no good.*calmd did not start: exit 1'
	wait_calmd_end 1 'exit 1'
	remove_calmd

	# shellcheck disable=SC2016
	stand_in 'trap "exit 3" TERM; touch "$CALMD_DIR/control"; while :; do sleep 0.01; done'
	start_calmd
	run -1 stop_calmd
	assert_match message "$output" "have 'exit 3', want 'exit 0'"
	remove_calmd

	# shellcheck disable=SC2016
	stand_in 'trap "exit 0" TERM; setsid -f sleep 1000; touch "$CALMD_DIR/control"; while :; do sleep 0.01; done'
	start_calmd
	run -1 stop_calmd
	assert_match message "$output" 'processes are left: [0-9]* sleep 1000'
	remove_calmd
}
