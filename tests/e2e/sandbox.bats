#!/usr/bin/env bats
# What each process may do: as SECURITY.md says, and tried. Needs root.

load lib

# What the trespassers of this file cause.
EXPECTED_LOG='made the system call|exited with status 159|was ended by signal 9'

setup() {
	ldd "$CALMD_BUILDDIR/daemon/calmd" | grep -q libseccomp || skip "built without a sandbox"
}

# roles: a line "ROLE PID" for each process, of a daemon with one session.
roles() {
	local keeper
	echo "supervisor $(calmd_pid)"
	echo "master $(ctl_get master_pid status)"
	calmd_processes | sed -n 's/^\([0-9]*\) calmd-\(worker\|opener\|keeper\).*/\2 \1/p'
	keeper=$(calmd_processes | sed -n 's/^\([0-9]*\) calmd-keeper.*/\1/p')
	echo "session $(pgrep -P "$keeper")"
}

open_session() {
	start_background "$1" in_client nc -d "$SERVER4" "$PORT"
	wait_for 10 grep -q '# ' "$BATS_FILE_TMPDIR/$1.out"
}

@test "users, groups, capabilities and sandbox of every process are what SECURITY.md says" {
	start_calmd
	open_session witness
	roles >"$BATS_TEST_TMPDIR/roles"
	cat "$BATS_TEST_TMPDIR/roles"
	python3 - "$CALMD_SRCDIR/SECURITY.md" "$BATS_TEST_TMPDIR/roles" "$$" <<-'END'
		import pwd, re, sys

		NAMES = """chown dac_override dac_read_search fowner fsetid kill setgid setuid setpcap
		    linux_immutable net_bind_service net_broadcast net_admin net_raw ipc_lock ipc_owner
		    sys_module sys_rawio sys_chroot sys_ptrace sys_pacct sys_admin sys_boot sys_nice
		    sys_resource""".split()

		def status(pid):
		    lines = open(f"/proc/{pid}/status").read().splitlines()
		    return {k: v.split() for k, v in (line.split(":", 1) for line in lines)}

		def bits(text):
		    return sum(1 << NAMES.index(name) for name in text.split() if name != "none")

		def check(what, have, want):
		    assert have == want, f"{what}: have {have}, SECURITY.md says {want}"

		# One without the users that are its default has others.
		OTHERS = {"_calmd": "nobody", "_calmd-worker": "daemon"}

		def uid(name):
		    try:
		        return pwd.getpwnam(name).pw_uid
		    except KeyError:
		        return pwd.getpwnam(OTHERS[name]).pw_uid

		table = {}
		for line in open(sys.argv[1]):
		    cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
		    if len(cells) == 7 and not cells[0].startswith("-"):
		        table[cells[0]] = cells[1:]
		started = status(sys.argv[3])
		seen = set()
		for line in open(sys.argv[2]):
		    role, pid = line.split()
		    seen.add(role)
		    user, groups, capabilities, bounding, privileges, seccomp = table[role]
		    have = status(pid)
		    check(f"users of {role}", have["Uid"], [str(uid(user))] * 4)
		    assert (have["Gid"] == ["0"] * 4) == (user == "root"), have["Gid"]
		    check(f"groups of {role}", have["Groups"],
		          started["Groups"] if groups == "as started" else [])
		    every = int(started["CapPrm"][0], 16) & int(started["CapBnd"][0], 16)
		    want = every if capabilities == "as started" else bits(capabilities) & every
		    for name in ("CapPrm", "CapEff"):
		        check(f"{name} of {role}", int(have[name][0], 16), want)
		    check(f"CapBnd of {role}", have["CapBnd"],
		          started["CapBnd"] if bounding == "as started" else ["0" * 16])
		    for name in ("CapInh", "CapAmb"):
		        check(f"{name} of {role}", int(have[name][0], 16), 0)
		    check(f"no new privileges of {role}", have["NoNewPrivs"],
		          started["NoNewPrivs"] if privileges == "as started" else [privileges])
		    check(f"seccomp of {role}", have["Seccomp"],
		          started["Seccomp"] if seccomp == "as started" else [seccomp])
		check("the processes", seen, set(table) - {"process"})
	END
	local role pid limit
	while read -r role pid; do
		for limit in 'Max processes' 'Max core file size'; do
			[[ ! $role =~ master|worker ]] ||
				grep -Eq "^$limit +0 +0 " "/proc/$pid/limits" || fail "$role $pid: $limit"
		done
		[ "$role" != worker ] || grep -Eq '^Max open files +32 +32 ' "/proc/$pid/limits" || fail "$role"
	done <"$BATS_TEST_TMPDIR/roles"
	stop_calmd
}

# start_trespasser OPTION...: a calmd whose master and workers try what they may not.
start_trespasser() {
	local tree=$BATS_FILE_TMPDIR/tree
	mkdir -p "$tree/daemon" "$tree/shell"
	cp "$CALMD_BUILDDIR/tests/e2e/calmd-trespasser" "$tree/daemon/calmd"
	cp "$CALMD_BUILDDIR/tests/e2e/worker-trespasser" "$tree/shell/calmd-worker"
	cp "$CALMD_BUILDDIR/shell/calmd-opener" "$tree/shell/calmd-opener"
	export CALMD_PROGRAM=$tree/daemon/calmd
	start_calmd "$@"
}

# ended_for ROLE PID CALL: whether it is logged that it has ended for that.
ended_for() {
	grep -qE "^calmd: $1 $2 made the system call $3 \([0-9]+\), which it may not, and is ended" "$CALMD_DIR/log"
}

other_master() {
	local now
	now=$(ctl_get master_pid status) && [ "$now" != "$1" ]
}

@test "a system call that is not allowed ends a worker or a master, is logged by its name, and costs no more" {
	start_trespasser
	open_session witness
	local attempts=(openat socket execve ptrace mount kill) i
	for i in "${!attempts[@]}"; do
		in_client nc -d -w 10 -p $((7001 + i)) "$SERVER4" "$PORT" >/dev/null || true
		wait_for 5 ended_for worker '[0-9]+' "${attempts[i]}"
	done
	run ! background_ended witness
	local master
	for i in "${!attempts[@]}"; do
		master=$(ctl_get master_pid status)
		ctl call "$CLIENT4:$((7001 + i))" || true
		wait_for 10 ended_for master "$master" "${attempts[i]}"
		wait_for 10 other_master "$master"
	done
	run ! background_ended witness
	run ! grep trespass "$CALMD_DIR/log"
	assert_equal "ends" "$(grep -c 'which it may not' "$CALMD_DIR/log")" $((2 * ${#attempts[@]}))
	# Everybody else goes on, and whoever comes is served.
	run_peer <<-'END'
		from telnet import *
		with Telnet(SERVER4, PORT) as client:
		    client.read_until(rb"# $")
		    assert client.run("echo works") == "works\n"
	END
	stop_calmd
}

# id_of_port PORT: the connection of the client that has that port.
id_of_port() {
	ctl list | awk -v port=":$1$" '$2 == "ESTABLISHED" && $3 ~ port { print $1 }'
}

has_worker() {
	local id worker
	id=$(id_of_port "$1") && [ -n "$id" ] && worker=$(ctl_get worker show "$id") && [[ $worker =~ ^[0-9]+$ ]]
}

# seen_ended PID: a worker that was to be killed.
seen_ended() {
	grep -q "^calmd: worker $1 does not end, and is killed" "$CALMD_DIR/log" && [ ! -d "/proc/$1" ]
}

@test "a worker that outlives its connection and does not listen is killed, and gives its place free" {
	[ -n "${CALMD_LONG:-}" ] || skip "a long test"
	start_trespasser -o max-connections=1 -o max-spare-workers=1 -o min-spare-workers=1
	start_background stayer in_client nc -d -p 7007 "$SERVER4" "$PORT"
	wait_for 10 has_worker 7007
	ctl abort "$(id_of_port 7007)"
	wait_for 60 grep -q 'is told to end: its connection is gone' "$CALMD_DIR/log"
	local pid
	pid=$(sed -n 's/^calmd: worker \([0-9]*\) is told to end.*/\1/p' "$CALMD_DIR/log")
	wait_for 60 seen_ended "$pid"
	open_session witness
	stop_calmd
}
