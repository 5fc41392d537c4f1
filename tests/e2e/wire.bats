#!/usr/bin/env bats
# The wire between two namespaces, tried with the kernel's own TCP and with datagrams. Needs root.

load lib

setup_file() {
	make_network
	head -c 4000000 /dev/urandom >"$BATS_FILE_TMPDIR/sent"
}

teardown() {
	show_failure
	stop_background receiver
	stop_background wire
	rm -f "$BATS_FILE_TMPDIR/received"
}

# transfer ADDRESS: sends the file from the server's side to ADDRESS on the client's, over TCP.
transfer() {
	# shellcheck disable=SC2016
	start_background receiver in_client sh -c 'exec nc -d -l "$1" 5000 >"$2"' sh "$1" "$BATS_FILE_TMPDIR/received"
	wait_for 5 listening
	in_server timeout 60 nc -N "$1" 5000 <"$BATS_FILE_TMPDIR/sent"
	wait_for 10 background_ended receiver
	cmp "$BATS_FILE_TMPDIR/sent" "$BATS_FILE_TMPDIR/received"
}

listening() {
	in_client ss -Hltn 'sport = 5000' | grep -q .
}

# datagrams COUNT: sends COUNT numbered datagrams to the client's side and prints the numbers that
# arrive undamaged, in their order, and when the first and the last did, in microseconds.
datagrams() {
	python3 - "$SERVER_NS" "$CLIENT_NS" "$WIRE_CLIENT4" "$1" <<-'END'
		import ctypes, os, select, socket, sys, time

		def socket_in(namespace):
		    with open(f"/run/netns/{namespace}") as file:
		        assert ctypes.CDLL(None).setns(file.fileno(), 0) == 0
		    return socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

		sender, receiver = socket_in(sys.argv[1]), socket_in(sys.argv[2])
		receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
		receiver.bind((sys.argv[3], 9))
		start, times, numbers = time.monotonic(), [], []
		for number in range(int(sys.argv[4])):
		    sender.sendto(number.to_bytes(4, "big") + bytes(60), (sys.argv[3], 9))
		while select.select([receiver], [], [], 0.5)[0]:
		    times.append(time.monotonic() - start)
		    numbers.append(int.from_bytes(receiver.recv(64)[:4], "big"))
		print(*numbers)
		for taken in times[:1] + times[-1:]:
		    print(round(taken * 1e6))
	END
}

@test "bytes arrive unchanged over a lossy, reordering, corrupting, doubling line (IPv4)" {
	start_wire --loss 1 --reorder 2 --corrupt 1 --duplicate 1 --delay 2 --jitter 1
	transfer "$WIRE_CLIENT4"
	stop_wire
	for what in lost reordered corrupted duplicated; do
		[ "$(wire_counter a_to_b $what)" -gt 0 ]
	done
}

@test "bytes arrive unchanged over a lossy, reordering, corrupting, doubling line (IPv6)" {
	start_wire --loss 1 --reorder 2 --corrupt 1 --duplicate 1 --delay 2 --jitter 1
	transfer "$WIRE_CLIENT6"
	stop_wire
	for what in lost reordered corrupted duplicated; do
		[ "$(wire_counter a_to_b $what)" -gt 0 ]
	done
}

@test "a line that loses everything lets nothing pass" {
	start_wire --loss 100
	run -0 datagrams 100
	assert_equal "what arrived" "$output" ""
	stop_wire
	assert_equal in "$(wire_counter a_to_b in)" 100
	assert_equal lost "$(wire_counter a_to_b lost)" 100
	assert_equal out "$(wire_counter a_to_b out)" 0
}

@test "a line for small packets loses the larger ones" {
	start_wire --largest 91
	run -0 datagrams 10
	assert_equal "what arrived" "$output" ""
	stop_wire
	assert_equal oversized "$(wire_counter a_to_b oversized)" 10
	start_wire --largest 92
	run -0 datagrams 10
	assert_equal "what arrived" "${lines[0]}" "$(seq -s ' ' 0 9)"
}

@test "a line without faults passes everything in order" {
	start_wire --jitter 5
	run -0 datagrams 500
	assert_equal "what arrived" "${lines[0]}" "$(seq -s ' ' 0 499)"
}

@test "a delay is as long as asked" {
	start_wire --delay 50
	# never less; on a busy machine now and then more, but not each time
	local try
	for try in 1 2 3 4 5 6 7 8; do
		run -0 datagrams 1
		[ "${lines[1]}" -ge 50000 ]
		[ "${lines[1]}" -ge 70000 ] || return 0
	done
	fail "eight datagrams took longer than 70 ms"
}

@test "the same seed loses, doubles and damages the same packets; another seed others" {
	local options=(--loss 5 --duplicate 5 --corrupt 5 --reorder 5 --reorder-hold 5000)
	start_wire --seed 42 "${options[@]}"
	run -0 datagrams 1000
	first=${lines[0]}
	stop_wire
	counters=$(tail -n 1 "$BATS_FILE_TMPDIR/wire.out")

	start_wire --seed 42 "${options[@]}"
	run -0 datagrams 1000
	assert_equal "the same seed" "${lines[0]}" "$first"
	stop_wire
	assert_equal counters "$(tail -n 1 "$BATS_FILE_TMPDIR/wire.out")" "$counters"

	start_wire --seed 43 "${options[@]}"
	run -0 datagrams 1000
	[ "${lines[0]}" != "$first" ]
}

@test "a packet that is held back goes on after as many as asked have overtaken it" {
	start_wire --seed 1 --reorder 1 --reorder-gap 3 --reorder-hold 5000
	run -0 datagrams 200
	stop_wire
	[ "$(wire_counter a_to_b reordered)" -ge 1 ]
	run -0 python3 -c '
import sys
numbers = list(map(int, sys.argv[1].split()))
assert sorted(numbers) == list(range(200)), "some are missing"
late = [n for i, n in enumerate(numbers) if any(m > n for m in numbers[:i])]
print(len(late), *(sum(m > n for m in numbers[:numbers.index(n)]) for n in late))' "${lines[0]}"
	assert_match "late packets, and how many overtook each" "$output" '^[1-9][0-9]*( 3)+$'
}

@test "a rate slows down, and its queue drops what does not fit" {
	start_wire --rate 0.736 --queue 9200
	run -0 datagrams 1000
	stop_wire
	# 92 bytes each, one a millisecond: 100 in the queue and a few that leave while they come.
	passed=$(wire_counter a_to_b out)
	[ "$passed" -ge 100 ]
	[ "$passed" -lt 900 ]
	[ "${lines[2]}" -ge $(((passed - 1) * 1000)) ]
	assert_equal dropped "$(wire_counter a_to_b queue_dropped)" $((1000 - passed))
}

@test "options after --direction are for that direction alone" {
	start_wire --direction b-to-a --loss 100
	run -0 datagrams 10
	assert_equal "what arrived" "${lines[0]}" "$(seq -s ' ' 0 9)"
}

@test "a bad option is named" {
	run -2 "$CALMD_BUILDDIR/tests/wire/wire" --loss 101 a b
	assert_match message "$output" '--loss 101: not a number from 0 to 100'
	run -2 "$CALMD_BUILDDIR/tests/wire/wire" a
	run -1 "$CALMD_BUILDDIR/tests/wire/wire" no-such-namespace "$CLIENT_NS"
	assert_match message "$output" no-such-namespace
}
