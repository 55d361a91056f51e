# What a bare Debian-like machine lacks for scripts/test and scripts/dev. Sourced, never run.
#
# Installs what is missing and nothing else. A package's own attempt to start a service is refused while it is
# installed, so that no database of the system comes up beside the private ones.

# The root-only prefix, empty for root.
as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    else
        sudo "$@"
    fi
}

# lacks COMMAND: true when the command is nowhere, /usr/sbin included.
lacks() {
    ! PATH="$PATH:/usr/sbin:/sbin" command -v "$1" >/dev/null 2>&1
}

# missing_packages [mariadb] [mysql] [browser]: prints the Debian packages to install for these parts.
missing_packages() {
    lacks cc && echo gcc libc6-dev
    lacks curl && echo curl ca-certificates
    lacks openssl && echo openssl
    python3 -c 'import ensurepip, venv' 2>/dev/null || echo python3 python3-venv
    local part
    for part in "$@"; do
        case $part in
        mariadb)
            lacks mariadbd && echo mariadb-server
            # For writes that fail on purpose under the spool.
            lacks strace && echo strace
            # For tests/galera.rs; it comes with the server or in a package of its own.
            [ -f /usr/lib/galera/libgalera_smm.so ] || [ -f /usr/lib/libgalera_smm.so ] || echo galera-4
            ;;
        mysql)
            lacks debootstrap && echo debootstrap
            lacks gpgv && echo gpgv
            [ -f /usr/share/keyrings/debian-archive-keyring.gpg ] || echo debian-archive-keyring
            ;;
        browser) lacks chromium && echo chromium fonts-liberation ;;
        esac
    done
    return 0
}

# install_packages NAME…: installs Debian packages without starting a service of theirs.
install_packages() {
    local policy=/usr/sbin/policy-rc.d made=false result=0 log="$RUN_DIR/tmp/apt.log"
    echo "installing $*"
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
        as_root chmod 755 "$policy"
        made=true
    fi
    {
        as_root apt-get -q update &&
            as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y install --no-install-recommends "$@"
    } >"$log" 2>&1 || {
        result=1
        tail -n 30 "$log" >&2
    }
    if [ "$made" = true ]; then
        as_root rm -f "$policy"
    fi
    return "$result"
}

# require_tools [mariadb] [mysql] [browser]: fails with one sentence when Rust or Node is missing, installs the rest.
require_tools() {
    local packages tool
    for tool in cargo node npm; do
        if lacks "$tool"; then
            echo "$tool is missing: install Rust and Node first" >&2
            return 1
        fi
    done
    if ! cargo fmt --version >/dev/null 2>&1 || ! cargo clippy --version >/dev/null 2>&1; then
        rustup component add rustfmt clippy
    fi
    packages=$(missing_packages "$@")
    if [ -z "$packages" ]; then
        echo "everything is there"
        return 0
    fi
    # Package names have no blanks; the split is meant.
    # shellcheck disable=SC2086
    install_packages $packages
}

# install_npm_packages DIR: installs by the lock file, only when it differs from what was installed last.
install_npm_packages() {
    local stamp="$1/node_modules/.installed-lock"
    if ! cmp -s "$1/package-lock.json" "$stamp"; then
        npm --prefix "$1" ci --no-audit --no-fund
        cp "$1/package-lock.json" "$stamp"
    fi
}

# install_test_peers: the public libraries that tests of alerts talk to (tests/peers), by their lock files.
install_test_peers() {
    local venv="$TEKNO_PEERS" lock=tests/peers/requirements.txt
    install_npm_packages tests/peers
    if ! cmp -s "$lock" "$venv/.installed-lock"; then
        rm -rf -- "$venv"
        mkdir -p "$(dirname "$venv")"
        python3 -m venv "$venv"
        "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r "$lock"
        cp "$lock" "$venv/.installed-lock"
    fi
}
