# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# For the tests of this directory: `vm ARGS...` runs scripts/vm into $work/out, with its own words on
# $work/stderr and the command's output on $work/stdout; the expect_* functions end the test.
# Set by the runner: $root (source tree), $binary, $kernel (for --kernel), $work (empty directory).
set -u
: "${root:?}" "${binary:?}" "${kernel:?}" "${work:?}"

fail()
{
	echo "$*"
	echo "--- stdout"
	grep -a -A 3 'FINDING' "$work/stdout"
	tail -n 20 "$work/stdout"
	echo "--- stderr"
	grep -a '^vm:' "$work/stderr"
	exit 1
}

skip()
{
	echo "$*"
	exit 77
}

# vm CODE ARGS...: the exit code must be CODE
vm()
{
	local want=$1 got
	shift
	rm -rf "$work/out"
	"$root/scripts/vm" --kernel "$kernel" --output "$work/out" "$@" >"$work/stdout" 2>"$work/stderr" </dev/null
	got=$?
	[ "$got" = "$want" ] || fail "scripts/vm $*: exit $got, not $want"
}

# expect_text FILE REGEX
expect_text()
{
	grep -aqE -- "$2" "$1" || fail "$1 has no line like '$2'"
}

# expect_no_text FILE REGEX
expect_no_text()
{
	! grep -aqE -- "$2" "$1" || fail "$1 has a line like '$2': $(grep -aE -m1 -- "$2" "$1")"
}

# sunder_vm CODE ARGS...: as vm, with the program that is tested
sunder_vm()
{
	local want=$1
	shift
	[ -x "$binary" ] || skip "$binary is not built"
	vm "$want" --binary "$binary" "$@"
}

# alive_bug JOB TITLE: a bug of docs/found.md that this kernel of Debian's has; when its package is gone that is a skip, not a pass.
alive_bug()
{
	local code
	[ -x "$binary" ] || skip "$binary is not built"
	rm -rf "$work/out"
	"$root/scripts/vm" --kernel debian:6.12.117-1~deb12u1 --output "$work/out" --binary "$binary" -- \
		run "workloads/$1.job" >"$work/stdout" 2>"$work/stderr" </dev/null
	code=$?
	grep -q 'has no such version\|not found' "$work/stderr" && skip "that kernel package is gone"
	[ "$code" = 1 ] || fail "exit $code"
	expect_text "$work/out/summary.json" "$2"
}

# clean_job NAME: a workload runs for a minute, or $SUNDER_SOAK seconds, with no finding, and each of its ops succeeds.
clean_job()
{
	sunder_vm 0 --nodes 2 -- run --timeout "${SUNDER_SOAK:-60}s" "workloads/$1.job"
	"$root/tests/vm/op_successes.py" "$work/out/summary.json" >"$work/never" ||
		fail "$1 on $kernel: $(cat "$work/never")"
}
