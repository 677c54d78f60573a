# The peers' Python environment. Sourced after deploy/steps.sh; `root` is the repository.
environment=$root/build/peers-env

# make_environment: the pinned packages in a Python environment of their own; nothing to do when they are there.
make_environment() {
    local here=$root/tests/bench/peers pins
    pins=$(cat "$here/requirements.txt" "$here/cuda_stand_ins.py" | sha256sum)
    [ "$(cat "$environment/.pins" 2>/dev/null)" = "$pins" ] && return
    say "Installing the peers (1 GB to download, 2 GB on disk, in build/peers-env)"
    rm -rf "$environment"
    /usr/bin/python3 -m venv "$environment"
    "$environment/bin/python" -m pip install --disable-pip-version-check --only-binary :all: --no-deps \
        -r "$here/requirements.txt" || fail "could not install the peers: is the package registry within reach?"
    "$environment/bin/python" "$here/cuda_stand_ins.py" || fail "torch cannot be loaded (see above)"
    echo "$pins" > "$environment/.pins"
}
