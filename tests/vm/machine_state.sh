#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Prints what disruptive ops may change on this machine: two equal prints mean that all was put back.

for file in /sys/kernel/mm/hugepages/*/*_hugepages /sys/devices/system/node/node*/hugepages/*/nr_hugepages \
	/sys/kernel/mm/transparent_hugepage/*enabled /sys/kernel/mm/transparent_hugepage/hugepages-*/*enabled \
	/sys/kernel/mm/transparent_hugepage/khugepaged/* /sys/kernel/mm/ksm/run /sys/kernel/mm/ksm/sleep_millisecs \
	/sys/kernel/mm/ksm/use_zero_pages /proc/sys/vm/zone_reclaim_mode /proc/sys/vm/max_map_count \
	/proc/sys/kernel/numa_balancing /sys/devices/system/cpu/online /sys/devices/system/memory/memory*/state \
	/sys/fs/cgroup/cgroup.subtree_control; do
	case $file in
	*/free_hugepages|*/pages_collapsed|*/full_scans) continue ;;
	esac
	[ -r "$file" ] && echo "$file $(cat "$file" 2>/dev/null)"
done
cat /proc/swaps
ls -d /sys/fs/cgroup/sunder* /var/tmp/sunder* 2>/dev/null
