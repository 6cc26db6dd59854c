#!/bin/busybox sh
# In the guest, before it has a root directory: this machine's files below, a disk for what is written above.
set -e
/bin/busybox --install -s /bin
mkdir -p /proc /dev /machine /written /root
mount -t proc proc /proc
mount -t devtmpfs dev /dev
for file in /modules/*; do insmod "$file"; done
mount -t 9p -o trans=virtio,version=9p2000.L,ro,cache=loose,msize=262144 machine /machine
mount -t ext4 /dev/vda /written
mkdir -p /written/upper /written/work
mount -t overlay -o lowerdir=/machine,upperdir=/written/upper,workdir=/written/work overlay /root
mkdir -p /root/run
cp -r /job /root/written-job
cp /bin/busybox /root/written-job/busybox
umount /proc
mount --move /dev /root/dev
exec switch_root /root /bin/sh /written-job/init
