#!/usr/bin/env bash
# usage: boot.sh COMMAND...   runs it as root in this folder on a kernel of its own, and ends with its exit code
#
# For what a machine's own kernel may lack: cgroup v2 with the memory controller, ipvlan, dummy. The guest sees this
# machine's files, and writes to a disk that is gone afterwards; it has no network. Takes about 5 s before the command.
#
# apt-get install qemu-system-x86 linux-image-amd64 busybox-static cpio e2fsprogs
#   KERNEL_ROOT   where boot/vmlinuz-* and lib/modules/ are (default: /), such as of a package unpacked by `dpkg -x`
#   GUEST_MEMORY  in MiB (2560); GUEST_CPUS (2); GUEST_SECONDS until it is ended (1800)
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=${KERNEL_ROOT:-/}
root=${root%/}
missing() {
  echo "no guest was started: $1" >&2
  exit 77
}

[ "$(id -u)" = 0 ] || missing "it is to read every file of this machine, so start it as root"
command -v qemu-system-x86_64 > /dev/null || missing "there is no qemu; apt-get install qemu-system-x86"
busybox=$(PATH="$root/bin:$root/usr/bin:$PATH" command -v busybox) || missing "there is no busybox; apt-get install busybox-static"
image=$(ls -v "$root"/boot/vmlinuz-* 2> /dev/null | tail -1) || true
[ -n "$image" ] || missing "there is no kernel in $root/boot; apt-get install linux-image-amd64, or say KERNEL_ROOT=..."
release=${image##*/vmlinuz-}
modules=$root/lib/modules/$release

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# What finds the files: the first root directory, in memory.
mkdir -p "$work/first/bin" "$work/first/modules" "$work/first/job"
cp "$busybox" "$work/first/bin/busybox"
cp "$here/first.sh" "$work/first/init"
cp "$here/guest.sh" "$work/first/job/init"
chmod +x "$work/first/init"
[ -e "$modules/modules.dep" ] || missing "$modules has no modules.dep; run depmod -b ${root:-/} $release"
number=100
for name in virtio_pci virtio_blk 9pnet_virtio 9p crc32c_generic ext4 overlay; do
  # Those that a module needs stand behind it, the last one first.
  for file in $(sed -n "s|^\(kernel/[^:]*/$name\.ko[^:]*\):\(.*\)|\1 \2|p" "$modules/modules.dep" | tr ' ' '\n' | tac); do
    [ -e "$work/loaded-${file##*/}" ] && continue
    touch "$work/loaded-${file##*/}"
    cp "$modules/$file" "$work/first/modules/$((number++))-${file##*/}"
  done
done
printf 'export PATH=%q HOME=/root MODULES=%q\ncd %q\n' "$PATH" "$modules" "$PWD" > "$work/first/job/environment"
printf '%q ' "$@" > "$work/first/job/command"
(cd "$work/first" && find . | cpio --quiet -o -H newc | gzip -1) > "$work/first.gz"

truncate -s 4G "$work/disk"
mkfs.ext4 -q -F -O ^has_journal "$work/disk"

timeout --foreground "${GUEST_SECONDS:-1800}" qemu-system-x86_64 \
  -accel "${GUEST_ACCEL:-tcg,thread=multi}" -cpu max,-arch-capabilities -smp "${GUEST_CPUS:-2}" -m "${GUEST_MEMORY:-2560}" -no-reboot \
  -nodefaults -nic none -display none -monitor none -serial stdio \
  -kernel "$image" -initrd "$work/first.gz" -append "console=ttyS0 loglevel=1 panic=-1 cgroup_no_v1=all mitigations=off" \
  -drive "file=$work/disk,format=raw,if=virtio,cache=unsafe" \
  -virtfs local,path=/,mount_tag=machine,security_model=none,readonly=on,multidevs=remap \
  < /dev/null | sed -u 's/\r$//' | tee "$work/said"
code=$(sed -n 's/^the command ended with //p' "$work/said" | tail -1)
[ -n "$code" ] || { echo "the guest ended before its command did" >&2; exit 1; }
exit "$code"
