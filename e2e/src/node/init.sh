#!/usr/bin/env bash
# The first process of a node. It runs in namespaces of its own (mounts, network, processes, cgroups), so that everything on the
# node ends with it: then the kernel kills its processes and removes its mounts, interfaces and firewall rules.
#
# usage: bash init.sh CGROUP STATE
set -eu
cgroup=$1 state=$2
mkdir -p "$state/private"

# Before `unshare`: a cgroup namespace starts at the cgroup that its creator is in.
if [ -z "${IN_NAMESPACES:-}" ]; then
  while read -r _ mount type _; do
    case "$type" in cgroup | cgroup2) ;; *) continue ;; esac
    mkdir -p "$mount/$cgroup"
    # A new cpuset is empty, and processes cannot enter it.
    for folder in "$mount/${cgroup%%/*}" "$mount/$cgroup"; do
      for file in cpuset.cpus cpuset.mems; do
        [ "$type" = cgroup2 ] || ! [ -e "$folder/$file" ] || cat "$folder/../$file" > "$folder/$file"
      done
    done
    echo $$ > "$mount/$cgroup/cgroup.procs"
  done < /proc/self/mounts
  export IN_NAMESPACES=1
  exec unshare --mount --net --pid --cgroup --fork --kill-child --mount-proc bash "$0" "$@"
fi

mount --make-rshared /
# Cgroups as this namespace sees them.
while read -r _ mount type options _; do
  case "$type" in cgroup | cgroup2) umount "$mount" ;; esac
  case "$type" in
    cgroup) mount -t cgroup -o "$options" cgroup "$mount" ;;
    cgroup2) mount -t cgroup2 cgroup2 "$mount" ;;
  esac
done < <(cat /proc/self/mounts)
# Empty, as after a boot. Kubernetes and CNI plugins write to fixed paths in these folders.
for folder in /run /var/lib /var/log; do mount -t tmpfs tmpfs "$folder"; done
# The kubelet sets these for the whole machine: it gets private copies.
for setting in vm/overcommit_memory vm/panic_on_oom kernel/panic kernel/panic_on_oops kernel/keys/root_maxkeys kernel/keys/root_maxbytes; do
  copy=$state/private/${setting//\//-}
  cat "/proc/sys/$setting" > "$copy"
  mount --bind "$copy" "/proc/sys/$setting"
done
ip link set lo up
echo 1 > /proc/sys/net/ipv4/ip_forward
echo ready
# Standard input has commands. Its end is the end of the node.
set +e
while read -r line; do eval "$line"; done
