#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# In a guest: daemon_kills.sh SECONDS EVERY SEED SLICE [BUDGET]: sunderd runs campaigns for SECONDS; about every EVERY seconds it, or the run that it
# has started, is killed. Prints what became of it; /out/curve has the daemon's memory and files.
seconds=$1 every=$2 seed=$3 slice=$4 budget=${5:-}
control=/run/sunder/control
curve=/out/curve
kills=0
draws=0
daemon=0

cat >/tmp/sunderd.conf <<-END
	[daemon]
	state = /out/state
	sunder = /usr/bin/sunder
	seed = $seed
	slice = ${slice}s
	$budget
	disk = 8M
	listen = 8777
	[campaign quick]
	job = quick.job
	[campaign churn]
	job = thp-churn.job
	weight = 2
	[campaign finds]
	job = collapse-fallocate.job
END

start()
{
	sunderd --config /tmp/sunderd.conf 2>>/out/daemon.log &
	daemon=$!
}

# draw BELOW: $drawn is a number from 0, made of the seed and of how many came before
draw()
{
	draws=$((draws + 1))
	drawn=$(awk -v seed="$seed" -v n="$draws" -v below="$1" 'BEGIN { srand(seed * 1000 + n); rand(); print int(rand() * below) }')
}

now()
{
	cut -d. -f1 /proc/uptime
}

measure()
{
	rss=$(awk '/^VmRSS/ { print $2 }' /proc/$daemon/status 2>/dev/null)
	[ -n "$rss" ] && echo "$(now) $daemon $rss $(ls /proc/$daemon/fd | wc -l) $(ls /out/state/daemon/runs | wc -l) $(du -sk /out/state | cut -f1)" >>$curve
}

# The run's supervisor, as the state on disk names it.
run_pid()
{
	sed -n 's/^  "pid": \([0-9]*\).*/\1/p' /out/state/daemon/state.json
}

ifconfig lo up 2>/dev/null
sh /tmp/state.sh >/tmp/before
start
begin=$(now)
next=$((begin + every))
while [ "$(now)" -lt $((begin + seconds)) ]; do
	measure
	if ! kill -0 $daemon 2>/dev/null; then
		echo "sunderd is gone"
		start
	fi
	if [ "$(now)" -ge $next ]; then
		draw "$every"
		next=$(($(now) + every / 2 + drawn))
		victim=$daemon
		draw 2
		[ "$drawn" = 0 ] && victim=$(run_pid)
		[ -n "$victim" ] && kill -KILL "$victim" 2>/dev/null && kills=$((kills + 1)) && echo "killed $victim (daemon $daemon)" >>/out/kills
		if [ "$victim" = "$daemon" ]; then
			wait $daemon 2>/dev/null
			start
		fi
	fi
	sleep 2
done
[ -z "$budget" ] || grep . /sys/fs/cgroup/sunderd/memory.max /sys/fs/cgroup/sunderd/cpu.max
sunder status --socket $control || echo "no status"
sunder status --json --socket $control >/out/status.json
sunder stop --socket $control
tries=0
while kill -0 $daemon 2>/dev/null && [ $tries -lt 20 ]; do
	tries=$((tries + 1))
	sleep 1
done
kill -0 $daemon 2>/dev/null && echo "sunderd did not stop"
sh /tmp/state.sh >/tmp/after
diff /tmp/before /tmp/after && echo "all is put back"
sunder findings --state /out/state
echo "kills $kills"
