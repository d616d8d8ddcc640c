#!/bin/busybox sh
# First process of a guest. Runs the suites that the file /suites lists and tells on the second serial line
# what became of them, between lines that begin with @@ (serial.ts reads them).
bb=/bin/busybox
# By a kernel parameter where it is another one (processors.ts).
report=/root/dev/${report:-ttyS1}

$bb mkdir -p /proc /sys
$bb mount -t proc proc /proc
$bb mount -t sysfs sys /sys
$bb mount -t devtmpfs dev /dev
for module in /modules/*.ko; do
  [ -e "$module" ] && $bb insmod "$module"
done
$bb ip link set lo up

# Without modules there is no driver for disks, and a shared folder is the root.
set -- /modules/*.ko
if [ -e "$1" ]; then
  # Disks are found while the kernel already runs this.
  tries=0
  while [ ! -b /dev/vdb ] && [ $tries -lt 100 ]; do
    $bb usleep 100000
    tries=$((tries + 1))
  done
  $bb mount -t ext4 -o ro,noload /dev/vda /root || exit 1
  $bb mount -t ext4 /dev/vdb /root/var/tmp || exit 1
else
  $bb mount -t virtiofs root /root || exit 1
fi
$bb mount --move /dev /root/dev
$bb mount --move /proc /root/proc
$bb mount --move /sys /root/sys
$bb mount -t tmpfs run /root/run
$bb mount -t tmpfs tmp /root/tmp
$bb mount -t tracefs tracefs /root/sys/kernel/tracing
$bb mount -t debugfs debugfs /root/sys/kernel/debug
$bb mount -t bpf bpf /root/sys/fs/bpf
$bb mount -t cgroup2 cgroup /root/sys/fs/cgroup

$bb stty -F $report raw -echo
exec >$report 2>&1
# "none voluntary (full)": the mode in brackets is the one that holds.
preemption=$($bb sed 's/.*(\(.*\)).*/\1/' /root/sys/kernel/debug/sched/preempt 2>/dev/null)
echo "@@preemption ${preemption:-unknown}"
export HOME=/run PATH=/usr/bin:/bin:/sbin
while read -r tier files; do
  echo "@@begin $tier"
  SIDECAR_TIER=$tier $bb chroot /root /bin/sh /package/test/vm/guest/suite.sh $files </dev/null
  code=$?
  echo
  echo "@@end $tier $code $($bb cat /root/run/results.json 2>/dev/null)"
  $bb rm -f /root/run/results.json
done </suites
read -r uptime _ </root/proc/uptime
echo "@@off $uptime"
$bb sync
$bb reboot -f
