# Engines of Docker of one's own, for the suites of this folder: sourced behind deploy/steps.sh, `root` is the repository.
# Any number may run at a time: each has its folder, its network namespace and its cgroup. Nothing is pulled.
#
#   engines_begin            where no engine can run here, says "skipped: why" and ends the suite; ends all of them at EXIT
#   engine_uplink NAME       a network namespace for engine NAME with a way out, by NAT through this machine
#   engine_start NAME        starts dockerd in the namespace of that name; `engine_at NAME` is its address for `docker -H`
#   engine_base NAME SUITE   gives it the image debian:SUITE-slim, made here by mmdebstrap, and kept in ~/.cache/bertd
#   engine_in NAME COMMAND   runs a command in its namespace, where 127.0.0.1 is the engine's
#   engine_stop NAME
ENGINE_PACKAGES="docker.io iproute2 iptables mmdebstrap procps util-linux"
DOCKER=/usr/bin/docker # another client may come before it on PATH
engines=

engines_skip() { echo "skipped: $*"; exit 77; }

engines_begin() {
    [ "$(id -u)" = 0 ] || engines_skip "an engine of Docker needs root"
    install_packages $ENGINE_PACKAGES
    grep -qw overlay /proc/filesystems || modprobe overlay 2>/dev/null || engines_skip "this kernel has no overlay file system"
    unshare --mount --net --uts true 2>/dev/null || engines_skip "no namespaces can be made here"
    engines=$(mktemp -d /var/tmp/bertd-engines.XXXXXX)
    trap engines_end EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
}

engines_end() {
    local folder
    for folder in "$engines"/*/; do
        [ ! -d "$folder" ] || engine_stop "$(basename "$folder")"
    done
    rm -rf "$engines"
}

engine_namespace() { echo "$(basename "$engines")-$1"; }
engine_at() { echo "unix://$engines/$1/docker.sock"; }
# engine_in NAME COMMAND..; in the background it is a process around the command: signals to it do not reach the command.
engine_in() { nsenter --net="/run/netns/$(engine_namespace "$1")" "${@:2}"; }

# engine_forwarding on|off: this machine forwards while there is an uplink. Called with the lock held.
engine_forwarding() {
    local now=/proc/sys/net/ipv4/ip_forward before=/run/bertd-engines.forward
    if [ "$1" = on ]; then
        [ -f $before ] || cat $now > $before
        echo 1 > $now
    elif [ -f $before ] && ! ip -brief link | grep -q '^bertd-up'; then
        cat $before > $now
        rm $before
    fi
}

# engine_rules -A|-D LINK NET: what passes over LINK, and NAT for NET.
engine_rules() {
    iptables "$1" FORWARD -i "$2" -j ACCEPT
    iptables "$1" FORWARD -o "$2" -j ACCEPT
    iptables -t nat "$1" POSTROUTING -s "$3" ! -o "$2" -j MASQUERADE
}

engine_uplink() {
    local namespace n=1
    namespace=$(engine_namespace "$1")
    mkdir -p "$engines/$1"
    ip netns add "$namespace"
    engine_in "$1" ip link set lo up
    {
        flock 9
        while ip link show "bertd-up$n" >/dev/null 2>&1; do n=$((n + 1)); done
        ip link add "bertd-up$n" type veth peer name eth0 netns "$namespace"
        engine_forwarding on
    } 9> /run/bertd-engines.lock
    echo "$n" > "$engines/$1/uplink"
    ip address add "10.213.$n.1/30" dev "bertd-up$n"
    ip link set "bertd-up$n" up
    engine_in "$1" ip address add "10.213.$n.2/30" dev eth0
    engine_in "$1" ip link set eth0 up
    engine_in "$1" ip route add default via "10.213.$n.1"
    engine_rules -A "bertd-up$n" "10.213.$n.0/30"
}

engine_uplink_end() {
    local n
    n=$(cat "$engines/$1/uplink")
    engine_rules -D "bertd-up$n" "10.213.$n.0/30" 2>/dev/null || true
    {
        flock 9
        ip link delete "bertd-up$n" 2>/dev/null || true
        engine_forwarding off
    } 9> /run/bertd-engines.lock
}

# engine_start NAME [DOCKERD OPTION..]. Its mounts are in a namespace of their own and go with it.
engine_start() {
    local folder=$engines/$1 name tries=0
    name=$(engine_namespace "$1")
    mkdir -p "$folder"
    engine_in "$1" setsid unshare --mount --uts sh -c 'hostname "$0"; exec "$@"' "$1" \
        dockerd --data-root "$folder/data" --exec-root "$folder/exec" -p "$folder/pid" -H "unix://$folder/docker.sock" \
        --cgroup-parent "/$name" --exec-opt native.cgroupdriver=cgroupfs --containerd-namespace "$name" \
        --containerd-plugins-namespace "plugins.$name" "${@:2}" >"$folder/log" 2>&1 </dev/null &
    disown # so that `wait` in a suite does not wait for it
    until $DOCKER -H "$(engine_at "$1")" info >/dev/null 2>&1; do
        tries=$((tries + 1))
        if ! kill -0 $! 2>/dev/null || [ $tries -gt 600 ]; then
            tail -n 5 "$folder/log" >&2
            engines_skip "dockerd does not start here: $(grep -o 'msg=.*' "$folder/log" | tail -n 1)"
        fi
        sleep 0.1
    done
    echo "$(cat "$folder/pid")$(sed 's/^/,/' "$folder/exec/containerd/containerd.pid" 2>/dev/null)" > "$folder/sessions"
}

# engine_kill NAME: at once what is left of the engine, by its sessions, and of its containers, by their cgroups.
engine_kill() {
    local sessions
    ! sessions=$(cat "$engines/$1/sessions" 2>/dev/null) || pkill -KILL -s "$sessions" || true
    find /sys/fs/cgroup -path "*/$(engine_namespace "$1")*" -name cgroup.procs -exec cat {} + 2>/dev/null | sort -u |
        xargs -r kill -KILL 2>/dev/null || true
}

# engine_stop NAME: the engine, what runs in it, its folder, its namespace.
engine_stop() {
    local folder=$engines/$1 name pid tries=0
    name=$(engine_namespace "$1")
    if pid=$(cat "$folder/pid" 2>/dev/null); then
        $DOCKER -H "$(engine_at "$1")" ps -q 2>/dev/null | xargs -r $DOCKER -H "$(engine_at "$1")" kill >/dev/null 2>&1 || true
        kill "$pid" 2>/dev/null || true
        while kill -0 "$pid" 2>/dev/null && [ $tries -lt 200 ]; do tries=$((tries + 1)); sleep 0.1; done
    fi
    engine_kill "$1" # an engine that would not end, and its containers
    [ ! -f "$folder/uplink" ] || engine_uplink_end "$1"
    ip netns delete "$name" 2>/dev/null || true
    find /sys/fs/cgroup -depth -type d -path "*/$name*" -exec rmdir {} + 2>/dev/null || true
    rm -rf "$folder"
}

# engine_debian SUITE FILE: a small root of Debian, by what apt on this machine knows: its archive, settings and authorities.
engine_debian() {
    local archives=() kind site suite
    while read -r kind site; do
        case $kind in Debian) suite=$1 ;; Debian-Security) suite=$1-security ;; *) continue ;; esac
        archives+=("deb $site $suite main")
    done < <(apt-get indextargets --format '$(LABEL) $(REPO_URI)' 'Created-By: Packages' | sort -u)
    [ ${#archives[@]} -gt 0 ] || fail "apt knows no archive of Debian: try apt-get update"
    mkdir -p "$engines/settings"
    apt-config dump | grep -E '^Acquire::(Check|http|https|Retries)' > "$engines/settings/90-as-outside" || true
    # As in the published images: apt keeps no package it has installed.
    echo 'DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/*.bin || true"; };' > "$engines/settings/docker-clean"
    mmdebstrap --quiet --variant=minbase --include=usr-is-merged --dpkgopt='path-exclude=/usr/share/man/*' \
        --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
        --dpkgopt='path-include=/usr/share/doc/*/copyright' \
        --essential-hook='mkdir -p "$1/usr/local/share/ca-certificates"' \
        --essential-hook='sync-in /usr/local/share/ca-certificates /usr/local/share/ca-certificates' \
        --customize-hook="copy-in $engines/settings/90-as-outside $engines/settings/docker-clean /etc/apt/apt.conf.d" \
        --customize-hook='rm -f "$1"/var/cache/apt/*.bin "$1"/var/cache/apt/archives/*.deb' \
        "$1" "$2" "${archives[@]}"
}

engine_base() {
    local kept=${XDG_CACHE_HOME:-$HOME/.cache}/bertd/debian-$2-slim.tar
    if [ -z "$(find "$kept" -mtime -30 2>/dev/null)" ]; then
        say "Making Debian $2 for the images (half a minute, into $kept)"
        mkdir -p "$(dirname "$kept")"
        engine_debian "$2" "$kept.$$.tar" && mv "$kept.$$.tar" "$kept" || fail "mmdebstrap could not make Debian $2 (above is why)"
    fi
    $DOCKER -H "$(engine_at "$1")" import --change 'CMD ["bash"]' "$kept" "debian:$2-slim" >/dev/null
}

# compose_2: the path of Compose 2, of Debian 13, whatever release this is. It is kept in ~/.cache/bertd.
compose_2() {
    local kept=${XDG_CACHE_HOME:-$HOME/.cache}/bertd/docker-compose-2 work
    if ! "$kept/docker-compose" version >/dev/null 2>&1; then
        say "Fetching Compose 2 of Debian 13 (20 MB, into $kept)"
        work=$(mktemp -d "$engines/compose.XXXXXX")
        (cd "$work" && apt_elsewhere deb trixie && apt-get "${elsewhere[@]}" download docker-compose &&
            dpkg-deb -x docker-compose_*.deb .) >&2 || fail "the package docker-compose of Debian 13 could not be fetched"
        mkdir -p "$kept"
        cp "$(find "$work" -type f -name docker-compose -size +1M)" "$kept/"
    fi
    echo "$kept/docker-compose"
}
