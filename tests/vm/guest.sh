#!/bin/sh
# In the guest: what a machine's first process prepares, then the command, then the end.
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /dev/pts /dev/shm /run/lock /run/netns
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
mount -t cgroup2 cgroup2 /sys/fs/cgroup
echo "+memory +pids +cpu" > /sys/fs/cgroup/cgroup.subtree_control
ip link set lo up
hostname guest
ulimit -n 65536
# The kernel loads modules by this program.
if [ ! -x /sbin/modprobe ]; then cp /written-job/busybox /sbin/modprobe; fi
. /written-job/environment
[ -e "/lib/modules/$(uname -r)" ] || { mkdir -p /lib/modules && ln -s "$MODULES" "/lib/modules/$(uname -r)"; }
setsid sh /written-job/command
echo "the command ended with $?"
sync
cp /written-job/busybox /run/busybox
exec /run/busybox poweroff -f
