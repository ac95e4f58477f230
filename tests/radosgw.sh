#!/bin/sh
# SPDX-License-Identifier: PostgreSQL
#
# A throw-away object store that is a real one: Ceph's radosgw, with a monitor
# and one OSD that keeps all in memory.
#
#     radosgw.sh DIR PORT
#
# Listens on 127.0.0.1:PORT (the monitor on the two ports after it), prints
# "ready" when its user (S3RVER, secret S3RVER) is let in, and ends when its
# standard input does.  Takes about twenty seconds to start.
set -eu
dir=$1 port=$2

umask 077
mkdir -p "$dir/mon" "$dir/osd" "$dir/run" "$dir/rgw"
id=$(cat /proc/sys/kernel/random/uuid)
osd=$(cat /proc/sys/kernel/random/uuid)
monitor="[v2:127.0.0.1:$((port + 2)),v1:127.0.0.1:$((port + 1))]"
export CEPH_CONF="$dir/ceph.conf"
cat >"$CEPH_CONF" <<END
[global]
fsid = $id
keyring = $dir/keyring
mon initial members = a
mon host = $monitor
mon data = $dir/mon
mon data avail crit = 1
mon allow pool size one = true
public addr = 127.0.0.1
cluster addr = 127.0.0.1
osd data = $dir/osd
osd objectstore = memstore
memstore device bytes = 2147483648
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
run dir = $dir/run
admin socket = $dir/run/\$name.asok
pid file = $dir/run/\$name.pid
log file = $dir/\$name.log
rgw data = $dir/rgw
rgw frontends = beast endpoint=127.0.0.1:$port
rgw crypt require ssl = false
rgw crypt s3 kms backend = testing
rgw crypt s3 kms encryption keys = testkey=YmluCmJvb3N0CmJvb3N0LWJ1aWxkCmNlcGguY29uZgo=
END

key() {
    ceph-authtool "$dir/keyring" --gen-key -n "$@" >/dev/null
}

stop() {
    for pid in "$dir"/run/*.pid; do
        [ ! -f "$pid" ] || kill -KILL "$(cat "$pid")" 2>/dev/null || :
    done
    rm -rf "$dir"
}
trap stop EXIT
trap 'exit 1' HUP INT TERM

start() {
    ceph-authtool --create-keyring "$dir/keyring" >/dev/null
    key mon. --cap mon 'allow *'
    key client.admin --cap mon 'allow *' --cap osd 'allow *' --cap mgr 'allow *'
    key client.rgw --cap mon 'allow *' --cap osd 'allow *'
    key osd.0 --cap mon 'allow *' --cap osd 'allow *'
    monmaptool --create --fsid "$id" --addv a "$monitor" "$dir/monmap"
    ceph-mon --mkfs -i a --monmap "$dir/monmap" --keyring "$dir/keyring"
    ceph-mon -i a
    ceph --connect-timeout 60 osd new "$osd"
    ceph-osd -i 0 --mkfs --osd-uuid "$osd" --keyring "$dir/keyring"
    ceph-osd -i 0
    radosgw -n client.rgw
    for _ in $(seq 240); do
        curl -s -o /dev/null "http://127.0.0.1:$port/" && break
        sleep 0.5
    done
    radosgw-admin -n client.admin user create --uid=test --display-name=test \
        --access-key=S3RVER --secret-key=S3RVER
}
start >"$dir/start.log" 2>&1 || {
    tail -n 5 "$dir/start.log"
    exit 1
}
echo ready
cat >/dev/null
