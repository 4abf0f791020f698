#!/usr/bin/env bash
# Set up what a make target needs, and nothing that is there already: system packages (where that is allowed), a virtual
# environment, the Python packages of constraints.txt, the compiled kernel.
#
#   scripts/setup.sh demo|test      demo: robots, physics, meshes, the viewer; test: bags, benchmark and test tools too
#
# VENV names the environment (.venv), PYTHON the interpreter to make it from.
set -euo pipefail
cd "$(dirname "$0")/.."

purpose=${1:?demo or test}
case $purpose in
    demo) package=".[sim,robot,geometry,viewer]" ;;
    test) package=".[dev]" ;;
    *) echo "scripts/setup.sh: '$purpose' is neither demo nor test" >&2; exit 2 ;;
esac
venv=${VENV:-.venv}
python=$venv/bin/python
PATH=$PATH:/usr/sbin:/sbin # ldconfig is there, and users often have neither

say() { echo "setup: $*" >&2; }
stop() { say "$*"; exit 1; }

# --- system packages (Debian's and Ubuntu's names)

may_install() { command -v apt-get >/dev/null && { [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null; }; }

apt_install() {
    local root=()
    [ "$(id -u)" = 0 ] || root=(sudo -n)
    say "installing system packages: $*"
    local install=("${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@")
    # The package lists of a fresh machine are often empty or old, so a second try comes after an update.
    "${install[@]}" >/dev/null 2>&1 || { "${root[@]}" apt-get update -qq && "${install[@]}"; } >/dev/null 2>&1
}

has_library() { ldconfig -p 2>/dev/null | grep -q "$1"; }

has_software_gl() { find /usr/lib* -name 'swrast_dri.so' -o -name 'libgallium*.so' 2>/dev/null | grep -q .; }

missing_packages() {
    command -v "${CXX:-g++}" >/dev/null || echo g++
    has_library libEGL.so.1 || echo libegl1
    has_library libEGL_mesa.so.0 || echo libegl-mesa0
    has_software_gl || echo libgl1-mesa-dri
    has_library libusb-1.0.so.0 || echo libusb-1.0-0
}

purpose_of() {
    case $1 in
        g++) echo "fast rendering" ;;
        libusb*) echo "open3d" ;;
        *) echo "the simulator's pictures" ;;
    esac
}

set_up_system() {
    local missing package
    read -ra missing <<<"$(missing_packages | tr '\n' ' ')"
    [ ${#missing[@]} -gt 0 ] || return 0
    if may_install && apt_install "${missing[@]}"; then return 0; fi
    local lost
    lost=$(for package in "${missing[@]}"; do purpose_of "$package"; done | sort -u | paste -sd, | sed 's/,/, /g')
    say "going on without $lost; to have it: sudo apt-get install ${missing[*]}"
}

# --- Python

find_python() { # those with pinned versions of everything first, then any that may do
    local candidate
    for candidate in ${PYTHON:-python3 python3.12 python3.11 python3.13 python3.10}; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    return 1
}

make_venv() {
    local base
    if ! base=$(find_python); then
        { may_install && apt_install python3 python3-venv && base=$(find_python); } ||
            stop "no Python 3.10 or newer was found (${PYTHON:-python3}): install one (sudo apt-get install python3 python3-venv) or name it: make PYTHON=/path/to/python3"
    fi
    if ! "$base" -c 'import ensurepip, venv' 2>/dev/null; then
        { may_install && apt_install python3-venv && "$base" -c 'import ensurepip, venv' 2>/dev/null; } ||
            stop "$base cannot make virtual environments: sudo apt-get install python3-venv"
    fi
    say "making $venv with $("$base" --version)"
    "$base" -m venv "$venv"
}

digest() { # of files and words: equal digests mean that nothing has to be done again
    { cat "$@" && "$python" --version && echo "${ROBODISTILL_MARCH:-}"; } | sha256sum | cut -d ' ' -f 1
}

holds() { [ "$(cat "$1" 2>/dev/null)" = "$2" ]; }

# A failed build must not leave an older kernel behind, and a running program must not see its library change.
remove_kernel() { rm -f robodistill/raster/_kernel*.so; }

install_packages() {
    local pip=("$python" -m pip install -qq --no-compile --disable-pip-version-check --no-input -c constraints.txt)
    say "installing Python packages for '$purpose' (the first time a minute or more, and 1 to 2 GB)"
    "${pip[@]}" setuptools
    remove_kernel
    "${pip[@]}" --no-build-isolation --editable "$package"
}

build_kernel() {
    say "building the kernel"
    remove_kernel
    "$python" setup.py --quiet build_ext --inplace --force 2>"$venv/kernel.log" || true
    [ -e robodistill/raster/_kernel.so ] || say "the kernel was not built, rendering will be slow; see $venv/kernel.log"
}

set_up_python() {
    [ -e "$venv" ] || make_venv
    "$python" -c '' 2>/dev/null || stop "$venv holds no working Python: remove that folder and call make again"
    local installed built
    installed=$(digest constraints.txt pyproject.toml setup.py)
    built=$(digest setup.py robodistill/*/csrc/*)
    # What the tests need includes what the demo needs.
    if ! holds "$venv/.robodistill-$purpose" "$installed" && ! holds "$venv/.robodistill-test" "$installed"; then
        install_packages
        echo "$installed" >"$venv/.robodistill-$purpose"
        echo "$built" >"$venv/.robodistill-kernel"
    elif ! holds "$venv/.robodistill-kernel" "$built" || [ ! -e robodistill/raster/_kernel.so ]; then
        build_kernel
        echo "$built" >"$venv/.robodistill-kernel"
    fi
}

set_up_system
set_up_python
