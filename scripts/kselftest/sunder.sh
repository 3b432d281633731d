#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# sunder as a kselftest: KTAP on standard output, a subtest a job; exit 0 all passed, 1 one failed, 4 all were skipped.
# Copy this directory to tools/testing/selftests/sunder of a kernel tree, or run it as it is.
#
#	SUNDER          the program (sunder)
#	SUNDER_JOBS     jobs, by name or path ("quick.job")
#	SUNDER_TIMEOUT  how long each runs (30s)
#	SUNDER_OPTIONS  more options of 'sunder run'
#	SUNDER_OUTPUT   where results go, kept; otherwise they are removed, but those of a job that failed

KSFT_PASS=0
KSFT_FAIL=1
KSFT_SKIP=4

sunder=${SUNDER:-sunder}
jobs=${SUNDER_JOBS:-quick.job}

echo "KTAP version 1"
if ! "$sunder" --version >/dev/null 2>&1; then
	echo "1..0 # SKIP there is no program $sunder: set SUNDER"
	exit $KSFT_SKIP
fi
top=${SUNDER_OUTPUT:-$(mktemp -d)}
mkdir -p "$top" || exit $KSFT_FAIL

# A KTAP diagnostic, and a reason that holds no directive.
say()
{
	sed 's/^/  # /' | tr -d '\r'
}

# shellcheck disable=SC2086
set -- $jobs
echo "1..$#"
number=0
passed=0
failed=0
for job in "$@"; do
	number=$((number + 1))
	name=$(basename "$job")
	dir=$top/$number-${name%.job}
	# shellcheck disable=SC2086
	"$sunder" run --quiet --format ktap --timeout "${SUNDER_TIMEOUT:-30s}" --output "$dir" $SUNDER_OPTIONS "$job" \
		>"$top/.ktap" 2>"$top/.words"
	code=$?
	# Of a run that did not come to its summary there is no document.
	[ ! -s "$top/.ktap" ] || sed 's/^/  /' "$top/.ktap"
	say <"$top/.words"
	reason=$(tail -n 1 "$top/.words" | tr -d '#\r' | sed 's/^sunder: //')
	case $code in
	0) echo "ok $number $name"; passed=$((passed + 1)) ;;
	3|4) echo "ok $number $name # SKIP ${reason:-nothing of it can run here}" ;;
	*) echo "not ok $number $name # exit $code, results in $dir"; failed=$((failed + 1)) ;;
	esac
	[ -n "$SUNDER_OUTPUT" ] || [ "$code" = 1 ] || [ "$code" = 5 ] || rm -rf "$dir"
done
rm -f "$top/.ktap" "$top/.words"
[ -n "$SUNDER_OUTPUT" ] || rmdir "$top" 2>/dev/null
if [ $failed != 0 ]; then
	exit $KSFT_FAIL
fi
[ $passed != 0 ] || exit $KSFT_SKIP
exit $KSFT_PASS
