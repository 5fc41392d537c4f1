# A whole system to test the service in: a small Debian, booted by systemd-nspawn in
# the server's network namespace, with calmd installed by `make install`. Builds on
# the functions of the end-to-end tests, whose clients connect to it.
# shellcheck shell=bash source-path=SCRIPTDIR

. "$(dirname "${BASH_SOURCE[0]}")/../e2e/lib.bash"

# The root that every machine begins with; what one changes lies over it.
boot_root() {
	echo "$CALMD_BUILDDIR/tests/boot/root"
}

# make_root: packages and all, unless that has been done before.
make_root() {
	mkdir -p "$CALMD_BUILDDIR/tests/boot"
	quietly make-root "$CALMD_SRCDIR/tests/boot/make-root" "$(boot_root)"
}

# lay_machine: for setup_file. Lays a fresh layer over the root, and makes a user who may use sudo.
lay_machine() {
	export MACHINE=calmd-boot-$$
	export MACHINE_DIR=$BATS_FILE_TMPDIR/machine
	mkdir -p "$MACHINE_DIR"/{layer,work,root}
	mount -t overlay "$MACHINE" "$MACHINE_DIR/root" \
		-o "lowerdir=$(boot_root),upperdir=$MACHINE_DIR/layer,workdir=$MACHINE_DIR/work"
	printf '%s\n' guest:guest root:secret >"$MACHINE_DIR/password"
	chroot "$MACHINE_DIR/root" useradd --create-home --shell /bin/bash --groups sudo guest
	chroot "$MACHINE_DIR/root" chpasswd <"$MACHINE_DIR/password"
	# Else sudo asks a name server that is not there.
	echo "127.0.0.1 localhost $(<"$MACHINE_DIR/root/etc/hostname")" >"$MACHINE_DIR/root/etc/hosts"
}

# outside_make ARGUMENT...: make in the build tree, also where make runs this test.
outside_make() {
	env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL make -s -C "$CALMD_BUILDDIR" "$@"
}

# quietly NAME COMMAND...: shows the end of what it says when it fails.
quietly() {
	local log=$BATS_FILE_TMPDIR/$1.log
	shift
	"$@" >"$log" 2>&1 || {
		tail -n 20 "$log" >&2
		return 1
	}
}

# make_machine [LINE]...: for setup_file. One with calmd from `make install`, and LINEs in its configuration.
make_machine() {
	lay_machine
	quietly install outside_make install DESTDIR="$MACHINE_DIR/root"
	# Client and server agree that 23 is open to everybody here.
	cat >"$MACHINE_DIR/root/etc/calmd.conf" <<-END
		listen = {"$SERVER4:$PORT", "[$SERVER6]:$PORT"}
		$(printf '%s\n' "$@")
	END
}

# boot_machine: starts it and waits until it is up.
boot_machine() {
	start_background "$MACHINE" systemd-nspawn --quiet --boot --machine="$MACHINE" \
		--directory="$MACHINE_DIR/root" --network-namespace-path="/run/netns/$SERVER_NS" \
		--capability=CAP_NET_ADMIN,CAP_NET_RAW --register=no --keep-unit \
		--link-journal=no --console=pipe
	if ! wait_for 60 machine_is_up; then
		show_machine
		return 1
	fi
}

# The host's pid of the machine's first process.
machine_leader() {
	local nspawn
	nspawn=$(<"$BATS_FILE_TMPDIR/$MACHINE.background")
	tr -d ' ' <"/proc/$nspawn/task/$nspawn/children"
}

# in_machine COMMAND...: runs it there, as root.
in_machine() {
	nsenter --target "$(machine_leader)" --mount --uts --ipc --net --pid --cgroup -- \
		env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
		LANG=C.UTF-8 SYSTEMD_COLORS=0 SYSTEMD_PAGER=cat "$@"
}

# why_no_machine: nothing when there can be one.
why_no_machine() {
	if [ -n "${CALMD_SANITIZERS:-}" ]; then
		echo "the machine has no libraries of sanitizers"
	elif ! command -v systemd-nspawn >/dev/null || ! command -v debootstrap >/dev/null; then
		echo "systemd-container and debootstrap are not installed: ./bootstrap packages boot"
	fi
}

machine_is_up() {
	[[ $(in_machine systemctl is-system-running 2>&1) =~ ^(running|degraded)$ ]]
}

# remove_machine: for teardown_file; ends it, whatever state it is in.
remove_machine() {
	local leader
	[ -n "${MACHINE:-}" ] || return 0
	if [ -e "$BATS_FILE_TMPDIR/$MACHINE.background" ]; then
		leader=$(machine_leader)
		# systemd(1): SIGRTMIN+4 powers off. The supervisor's own end is no test here.
		[ -z "$leader" ] || kill -s RTMIN+4 "$leader" || true
		wait_for 45 background_ended "$MACHINE" || true
		stop_background "$MACHINE"
	fi
	if mountpoint -q "$MACHINE_DIR/root"; then
		umount "$MACHINE_DIR/root"
	fi
}

# show_machine: what a test that failed leaves to look at.
show_machine() {
	echo "--- the machine's console:" >&2
	tail -n 30 "$BATS_FILE_TMPDIR/$MACHINE.out" >&2
	echo "--- its journal:" >&2
	# systemd names every worker that outlives a supervisor
	in_machine journalctl -u calmd --no-pager -n 400 |
		grep -vE 'remains running after|left-over process|usually indicates unclean' | tail -n 60 >&2 || true
}

# unit_get PROPERTY: of calmd.service, as systemd has it.
unit_get() {
	in_machine systemctl show calmd --value -P "$1"
}

# unit_is PROPERTY VALUE: for wait_for.
unit_is() {
	assert_equal "$1 of calmd.service" "$(unit_get "$1")" "$2"
}

# unit_processes: those in the service's control group: pid and command, one a line.
unit_processes() {
	in_machine sh -c 'for pid in $(cat /sys/fs/cgroup/*/system.slice/calmd.service/cgroup.procs |
		sort -un); do echo "$pid $(tr "\0" " " </proc/$pid/cmdline)"; done' 2>/dev/null
}

# machine_processes WORD: every process there whose command line has it.
machine_processes() {
	in_machine pgrep -af "$1" || true
}

# machine_ctl ARGUMENT...: calmctl there.
machine_ctl() {
	in_machine calmctl "$@"
}

# processes_are_in_order N: one master, one opener, no more idle workers than there should be, N busy ones.
processes_are_in_order() {
	assert_equal masters "$(machine_processes '^calmd: master' | wc -l)" 1
	assert_equal openers "$(machine_processes '^calmd-opener' | wc -l)" 1
	assert_equal "busy workers" "$(machine_processes '^calmd-worker: connection' | wc -l)" "$1"
	assert_equal "idle workers" "$(machine_processes '^calmd-worker: idle' | wc -l)" 8
}

# log_in_script: for scripts of run_peer; log_in(ADDRESS) gives a client that guest has logged in.
log_in_script() {
	cat <<-'END'
		from telnet import *
		def log_in(address):
		    client = Telnet(address, PORT, timeout=30)
		    client.read_until(rb"login: $")
		    client.type("guest\r")
		    client.read_until(rb"Password: $")
		    client.type("guest\r")
		    client.read_until(rb"guest@\S+:~\$ $")
		    client.type("PS1='# '\r")
		    client.read_until(rb"\r\n# $")
		    return client
	END
}

# three_sessions <SCRIPT: for run_peer; three clients have logged in before it, and log out after it.
# machine() runs a command in the machine, all_go_on() has each session say what it was told before.
three_sessions() {
	{
		log_in_script
		cat <<-'END'
			import json, subprocess
			def machine(*command):
			    enter = ["nsenter", "-t", sys.argv[1], "-m", "-u", "-i", "-n", "-p", "-C", "--"]
			    return subprocess.run(enter + list(command), check=True, text=True,
			                          stdout=subprocess.PIPE).stdout.strip()
			def wait_until_active():
			    deadline = time.monotonic() + 30
			    while machine("systemctl", "show", "calmd", "-P", "ActiveState") != "active":
			        assert time.monotonic() < deadline
			        time.sleep(0.1)
			def all_go_on():
			    for i, client in enumerate(clients):
			        assert client.run(f"echo $x {time.monotonic()}").startswith(f"kept{i} ")
			clients = [log_in(address) for address in (SERVER4, SERVER6, SERVER4)]
			for i, client in enumerate(clients):
			    client.run(f"x=kept{i}")
		END
		cat
		cat <<-'END'
			for client in clients:
			    client.type("exit\r")
			    client.read_all()
			    assert not client.reset
		END
	} | run_peer "$(machine_leader)"
}

# What both files want.

setup() {
	[ -n "${MACHINE:-}" ] || skip "$(why_no_machine)"
}

teardown_file() {
	[ -n "${MACHINE:-}" ] || return 0
	remove_machine
	stop_all_background
	remove_network
}

teardown() {
	[ -n "${BATS_TEST_COMPLETED:-}" ] || [ -z "${MACHINE:-}" ] || show_machine
}
