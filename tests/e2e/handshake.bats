#!/usr/bin/env bats
# The handshake with tcpdump's eyes, and what the host's kernel does meanwhile: nothing. Needs root.

load lib

# handshake_is_three_segments CLIENT SERVER SIDE DEVICE: a short session with a real client, captured.
handshake_is_three_segments() {
	local client=$1 server=$2 side=$3 device=$4
	start_calmd
	capture_start handshake "$side" "$device"
	if [ "$device" = lo ]; then
		run -0 in_server sh -c 'echo exit | timeout 10 nc -N "$1" "$2"' sh "$server" "$PORT"
	else
		run -0 in_client sh -c 'echo exit | timeout 10 nc -N "$1" "$2"' sh "$server" "$PORT"
	fi
	capture_stop handshake
	segments handshake >"$BATS_TEST_TMPDIR/all"
	head -n 4 "$BATS_TEST_TMPDIR/all"
	local first second third
	{ read -r first; read -r second; read -r third; } <"$BATS_TEST_TMPDIR/all"
	assert_match "first segment" "$first" " $client\.[0-9]+ > $server\.$PORT S seq=[0-9]+ ack=0 len=0 "
	assert_match "second segment" "$second" " $server\.$PORT > $client\.[0-9]+ SA seq=[0-9]+ ack=[0-9]+ len=0 "
	assert_match "third segment" "$third" " $client\.[0-9]+ > $server\.$PORT A seq=[0-9]+ ack=[0-9]+ len=0 "
	assert_equal "bare SYNs" "$(count_segments handshake --flags S)" 1
	assert_equal "SYN-ACKs" "$(count_segments handshake --flags SA)" 1
	assert_equal RSTs "$(count_segments handshake --with R)" 0
	SYN_ACK=$second
	stop_calmd
}

@test "a handshake is three segments, and offers MSS 1460 on a 1500-byte link (IPv4)" {
	handshake_is_three_segments "$CLIENT4" "$SERVER4" server eth0
	assert_match SYN-ACK "$SYN_ACK" ' mss=1460( |$)'
}

@test "a handshake is three segments, and offers MSS 1440 on a 1500-byte link (IPv6)" {
	handshake_is_three_segments "$CLIENT6" "$SERVER6" server eth0
	assert_match SYN-ACK "$SYN_ACK" ' mss=1440( |$)'
}

@test "a handshake is three segments over loopback (IPv4)" {
	handshake_is_three_segments 127.0.0.1 127.0.0.1 server lo
}

@test "a handshake is three segments over loopback (IPv6)" {
	handshake_is_three_segments ::1 ::1 server lo
}

@test "what the client's side sees is the same: three segments, MSS 1460, no RST" {
	handshake_is_three_segments "$CLIENT4" "$SERVER4" client eth0
	assert_match SYN-ACK "$SYN_ACK" ' mss=1460( |$)'
}

@test "a client without an MSS option gets at most 536 bytes of data a segment, over IPv6 1220" {
	start_calmd
	run_peer <<-'END'
		for src, dst, mss, most in ((CLIENT4, SERVER4, 1460, 536), (CLIENT6, SERVER6, 1440, 1220)):
		    with Peer(src, dst, 4000, PORT, mss=None) as peer:
		        syn_ack = peer.connect()
		        assert syn_ack.mss == mss, syn_ack
		        peer.read_until(b"# ")
		        peer.send("PA", b"seq 9999\n")
		        peer.read_until(b"9999\r\n# ")
		        sizes = [len(seg.data) for seg in peer.seen]
		        assert max(sizes) == most, f"largest: {max(sizes)}"
		        peer.abort()
	END
	stop_calmd
}

@test "a client that offers an MSS gets segments as large as that and no larger" {
	start_calmd
	run_peer <<-'END'
		for src, dst, mss in ((CLIENT4, SERVER4, 1000), (CLIENT6, SERVER6, 1300)):
		    with Peer(src, dst, 4001, PORT, mss=mss) as peer:
		        peer.connect()
		        peer.read_until(b"# ")
		        peer.send("PA", b"seq 9999\n")
		        peer.read_until(b"9999\r\n# ")
		        assert max(len(seg.data) for seg in peer.seen) == mss
		        peer.abort()
	END
	stop_calmd
}

@test "the server's kernel has the guard listening and no connection while a session runs" {
	start_calmd
	for address in "$SERVER4" "$SERVER6"; do
		# -d: reads nothing from its input, and so stays.
		start_background session in_client nc -d "$address" "$PORT"
		wait_for 10 grep -q '# ' "$BATS_FILE_TMPDIR/session.out"
		wait_for 5 established_are 1
		run -0 in_server ss -Htan "sport = $PORT"
		assert_equal "listening guards" "$(grep -c '^LISTEN' <<<"$output")" 4
		assert_equal "other sockets of the port" "$(grep -vc '^LISTEN' <<<"$output")" 0
		run -0 in_server ss -Htan state established
		assert_equal "established sockets" "$output" ""
		stop_background session
		wait_for 5 connections_are 0
	done
	stop_calmd
}

@test "over loopback the one established socket is the client's own" {
	start_calmd
	for address in 127.0.0.1 ::1; do
		start_background session in_server nc -d "$address" "$PORT"
		wait_for 10 grep -q '# ' "$BATS_FILE_TMPDIR/session.out"
		run -0 in_server ss -Htan state established
		assert_equal "established sockets" "${#lines[@]}" 1
		assert_match "its peer" "${lines[0]}" "[0-9] +\[?$address\]?:$PORT *$"
		stop_background session
		wait_for 5 connections_are 0
	done
	stop_calmd
}

@test "no kernel speaks for calmd's port: a stray ACK gets calmd's RST and no second one" {
	start_calmd
	run_peer <<-'END'
		for src, dst in ((CLIENT4, SERVER4), (CLIENT6, SERVER6)):
		    with Peer(src, dst, 4002, PORT) as peer:
		        peer.rcv_nxt = 12345
		        peer.send("A")
		        peer.expect("R", seq=12345)
		        peer.silent(0.3)
	END
	stop_calmd
}
