# Two network namespaces, a server's and a client's, joined by a veth pair, and
# by the wire where a test asks for it.
# shellcheck shell=bash

# make_network: for setup_file. Exports SERVER_NS and CLIENT_NS, the addresses SERVER4, SERVER6,
# CLIENT4, CLIENT6, and the PORT that tests let calmd listen on.
make_network() {
	export SERVER_NS=calmd-$$-s CLIENT_NS=calmd-$$-c
	export SERVER4=10.76.0.1 SERVER6=fd76::1 CLIENT4=10.76.0.2 CLIENT6=fd76::2 PORT=23
	add_namespace "$SERVER_NS"
	add_namespace "$CLIENT_NS"
	local server_mac=02:76:00:00:00:01 client_mac=02:76:00:00:00:02
	ip link add eth0 netns "$SERVER_NS" address $server_mac type veth \
		peer name eth0 netns "$CLIENT_NS" address $client_mac
	add_addresses "$SERVER_NS" eth0 "$SERVER4/24" "$SERVER6/64"
	add_addresses "$CLIENT_NS" eth0 "$CLIENT4/24" "$CLIENT6/64"
	# They know each other from the start: resolution queues few packets, and drops a flood's rest.
	add_neighbours "$SERVER_NS" $client_mac "$CLIENT4" "$CLIENT6"
	add_neighbours "$CLIENT_NS" $server_mac "$SERVER4" "$SERVER6"
	# Answers to made-up addresses have somewhere to go: the client's host, which drops them.
	ip -n "$SERVER_NS" route add default via "$CLIENT4"
	ip -n "$SERVER_NS" route add default via "$CLIENT6"
}

# add_namespace NAME: with loopback up, without duplicate address detection, which would make
# tests wait, and without source checks, which made-up addresses would not pass.
add_namespace() {
	ip netns add "$1"
	# shellcheck disable=SC2016
	ip netns exec "$1" sh -c '
		for what in all default; do
			echo 0 >/proc/sys/net/ipv6/conf/$what/accept_dad
			echo 0 >/proc/sys/net/ipv6/conf/$what/accept_ra
			echo 0 >/proc/sys/net/ipv6/conf/$what/router_solicitations
			echo 0 >/proc/sys/net/ipv4/conf/$what/rp_filter
		done'
	ip -n "$1" link set lo up
}

# add_addresses NAMESPACE DEVICE ADDRESS/PREFIX...: and brings the device up. The kernel's TCP is
# to send on it what a real wire could carry: no segments for the hardware to cut.
add_addresses() {
	local namespace=$1 device=$2 address
	shift 2
	for address in "$@"; do
		case $address in
		*:*) ip -n "$namespace" address add "$address" dev "$device" nodad ;;
		*) ip -n "$namespace" address add "$address" dev "$device" ;;
		esac
	done
	ip -n "$namespace" link set "$device" gso_max_segs 1 up
}

# add_neighbours NAMESPACE MAC ADDRESS...
add_neighbours() {
	local namespace=$1 mac=$2 address
	shift 2
	for address in "$@"; do
		ip -n "$namespace" neighbour add "$address" lladdr "$mac" dev eth0 nud permanent
	done
}

# add_clients: for setup_file; three more addresses of the client's, which the server reaches by its
# default route: 10.78.0.1 to .3 and fd78::1 to ::3.
add_clients() {
	local n
	for n in 1 2 3; do
		ip -n "$CLIENT_NS" address add 10.78.0.$n/32 dev lo
		ip -n "$CLIENT_NS" address add fd78::$n/128 dev lo nodad
	done
}

# remove_network: for teardown_file; ends whoever still is in there, and says who.
remove_network() {
	local name pid
	for name in "${SERVER_NS:-}" "${CLIENT_NS:-}"; do
		[ -e "/run/netns/${name:-none}" ] || continue
		for pid in $(ip netns pids "$name"); do
			echo "still in $name: $pid $(tr '\0' ' ' <"/proc/$pid/cmdline")" >&2
			kill -KILL "$pid" || true
		done
		ip netns del "$name"
	done
}

# in_server COMMAND..., in_client COMMAND...: run there.
in_server() {
	ip netns exec "$SERVER_NS" "$@"
}

in_client() {
	ip netns exec "$CLIENT_NS" "$@"
}

# start_wire [OPTION]...: joins the two by the wire as well: the server is 10.77.0.1 and fd77::1
# there, the client 10.77.0.2 and fd77::2 (WIRE_SERVER4 and so on).
start_wire() {
	export WIRE_SERVER4=10.77.0.1 WIRE_SERVER6=fd77::1
	export WIRE_CLIENT4=10.77.0.2 WIRE_CLIENT6=fd77::2
	start_background wire "$CALMD_BUILDDIR/tests/wire/wire" "$@" "$SERVER_NS" "$CLIENT_NS"
	wait_for 5 grep -q '^wire ready' "$BATS_FILE_TMPDIR/wire.out" || return 1
	cat "$BATS_FILE_TMPDIR/wire.out"
}

# stop_wire: prints its counters, and leaves them for wire_counter.
stop_wire() {
	stop_background wire
	cat "$BATS_FILE_TMPDIR/wire.out"
}

# wire_counter DIRECTION NAME: a_to_b (from the server to the client) or b_to_a; after stop_wire.
wire_counter() {
	tail -n 1 "$BATS_FILE_TMPDIR/wire.out" | json_get "$1.$2"
}

# json_get PATH: what stands there in the JSON on stdin; keys and indices joined by dots.
json_get() {
	python3 -c '
import json, sys
value = json.load(sys.stdin)
for key in filter(None, sys.argv[1].split(".")):
    value = value[int(key)] if isinstance(value, list) else value[key]
print(value if isinstance(value, str) else json.dumps(value))' "$1"
}
