#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Runs as a unit of a Debian that systemd has booted in a guest: installs /sunder.deb, uses it, purges it. Exit code 0: all
# was as it should be; else the last line says what was not.
set -u

fail()
{
	echo "FAILED: $*"
	exit 1
}

# expect CODE COMMAND...
expect()
{
	local want=$1 got
	shift
	echo "+ $*"
	"$@"
	got=$?
	[ "$got" = "$want" ] || fail "$*: exit $got, not $want"
}

# What is there of sunder, and of the machine.
files()
{
	find / -xdev \( -path /proc -o -path /sys -o -path /dev -o -path /run/log -o -path /var/log -o -path /var/lib/dpkg -o -path /tmp \
		-o -path /var/cache \) -prune -o -iname '*sunder*' ! -name sunder.deb -print | sort
}

state=$(bash /machine_state.sh)
before=$(files)

expect 0 dpkg -i /sunder.deb
expect 0 dpkg --audit
expect 0 sunder --version
cd /tmp || fail "no /tmp"
expect 0 sunder caps --health
expect 0 sunder check overnight.job >/tmp/plan
expect 0 sunder run --quiet --timeout 5s quick.job
expect 1 sunder run --quiet --timeout 3s busted.job
expect 2 sunder vm --kernel /nowhere -- run quick.job
for page in sunder.1 sunder-run.1 sunder-job.5 sunder-ops.7 sunderd.8 sunderd.conf.5; do
	expect 0 man -w "${page##*.}" "${page%.*}"
done

expect 0 systemd-analyze verify sunderd.service
[ "$(systemctl is-enabled sunderd)" = disabled ] || fail "the installation has enabled sunderd"
[ "$(systemctl is-active sunderd)" = inactive ] || fail "the installation has started sunderd"
expect 0 getent group sunder
expect 0 sunderd --check
expect 0 systemctl start sunderd
expect 0 systemctl is-active sunderd
expect 0 sunder status
expect 0 systemctl stop sunderd
[ "$(systemctl show -P Result sunderd)" = success ] || fail "sunderd ended with $(systemctl show -P Result sunderd)"
# Purging ends it.
expect 0 systemctl start sunderd

expect 0 dpkg --purge sunder
[ "$(systemctl is-active sunderd)" = inactive ] || fail "sunderd runs on"
[ "$(files)" = "$before" ] || fail "left behind: $(files)"
[ "$(bash /machine_state.sh)" = "$state" ] || fail "the machine is not as it was: $(diff <(echo "$state") <(bash /machine_state.sh))"
