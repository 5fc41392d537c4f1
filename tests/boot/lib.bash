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
	"$CALMD_SRCDIR/tests/boot/make-root" "$(boot_root)" >"$BATS_FILE_TMPDIR/make-root.log" 2>&1 || {
		tail -n 20 "$BATS_FILE_TMPDIR/make-root.log" >&2
		return 1
	}
}

# make_machine: for setup_file. Lays a fresh layer over the root and installs into it.
make_machine() {
	export MACHINE=calmd-boot-$$
	export MACHINE_DIR=$BATS_FILE_TMPDIR/machine
	mkdir -p "$MACHINE_DIR"/{layer,work,root}
	mount -t overlay "$MACHINE" "$MACHINE_DIR/root" \
		-o "lowerdir=$(boot_root),upperdir=$MACHINE_DIR/layer,workdir=$MACHINE_DIR/work"
	env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL make -s -C "$CALMD_BUILDDIR" install \
		DESTDIR="$MACHINE_DIR/root" >"$BATS_FILE_TMPDIR/install.log" 2>&1 || {
		tail -n 20 "$BATS_FILE_TMPDIR/install.log" >&2
		return 1
	}
	printf 'guest:guest\n' >"$MACHINE_DIR/password"
	chroot "$MACHINE_DIR/root" useradd --create-home --shell /bin/bash guest
	chroot "$MACHINE_DIR/root" chpasswd <"$MACHINE_DIR/password"
	# Client and server agree that 23 is open to everybody here.
	cat >"$MACHINE_DIR/root/etc/calmd.conf" <<-END
		listen = {"$SERVER4:$PORT", "[$SERVER6]:$PORT"}
		$*
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
