# A login with a password. The machine's own files stay as they are: the daemon runs in a mount
# namespace with an /etc, /run and /var/log of its own.
# shellcheck shell=bash

# private_login: from now on calmd runs there. There are the users `tester` and `other`, whose password
# is `correct horse`, and root's is `battery staple`.
private_login() {
	local etc=$BATS_FILE_TMPDIR/etc file
	if [ ! -e "$etc" ]; then
		cp -a /etc "$etc"
		add_account tester 54321
		add_account other 54322
		sed -i "s/^root:[^:]*:/root:$(openssl passwd -6 'battery staple' | sed 's/[&/]/\\&/g'):/" "$etc/shadow"
		for file in login su; do
			cat >"$etc/pam.d/$file" <<-'END'
				auth sufficient pam_rootok.so
				auth required pam_unix.so
				account required pam_unix.so
				session required pam_unix.so
			END
		done
		sed -i '/rootok/d' "$etc/pam.d/login"
		echo 'session optional pam_lastlog.so silent' >>"$etc/pam.d/login" # which writes wtmp, too
		echo 'password required pam_unix.so sha512' >"$etc/pam.d/passwd"
		chmod 755 "$BATS_FILE_TMPDIR" "$BATS_RUN_TMPDIR"
	fi
	cat >"$BATS_FILE_TMPDIR/calmd-with-login" <<-END
		#!/bin/sh
		set -e
		[ "\${PRIVATE_MOUNTS:-}" ] || PRIVATE_MOUNTS=1 exec unshare --mount --propagation private "\$0" "\$@"
		unset PRIVATE_MOUNTS
		mount --bind $etc /etc
		mount -t tmpfs -o mode=755 tmpfs /var/log
		mount -t tmpfs -o mode=755 tmpfs /run
		touch /run/utmp /var/log/wtmp /var/log/lastlog
		exec $CALMD_BUILDDIR/daemon/calmd "\$@"
	END
	chmod 755 "$BATS_FILE_TMPDIR/calmd-with-login"
	calmd_path() {
		echo "$BATS_FILE_TMPDIR/calmd-with-login"
	}
}

# add_account NAME NUMBER
add_account() {
	local etc=$BATS_FILE_TMPDIR/etc home=$BATS_FILE_TMPDIR/home-$1
	mkdir "$home"
	chown "$2:$2" "$home"
	echo "$1:x:$2:$2::$home:/bin/sh" >>"$etc/passwd"
	echo "$1:x:$2:" >>"$etc/group"
	echo "$1:$(openssl passwd -6 'correct horse'):20000:0:99999:7:::" >>"$etc/shadow"
}

# private_root: where the daemon's own /run, /var/log and /etc can be seen.
private_root() {
	echo "/proc/$(calmd_pid)/root"
}
