# Private database servers for scripts/test and scripts/dev. Sourced, never run.
#
# Every server gets its own data directory, a free port on 127.0.0.1 and a mark in its environment. Cleaning up
# ends whatever carries the mark, in whichever process group it is, and removes the directories; a database that
# runs on the machine already is neither used nor touched.
#
# A server comes up in three steps: prepare_… makes its data directory, launch_… starts it (called from the script
# itself and not from a subshell, so that its exit is collected here), await_… waits and writes its URL to a file.

# Seconds a server may take to answer its first query, and to end after it was asked to.
SERVER_START_SECONDS=60
SERVER_STOP_SECONDS=15

# The servers launched in this run.
SERVER_PIDS=()

# Makes the directory that everything of this run lives in, and the mark its processes carry.
# Readable by all at the top, because mariadbd gives up root and still has to reach its data.
open_run_dir() {
    RUN_DIR=$(mktemp -d "${TMPDIR:-/tmp}/tekno-run.XXXXXXXX")
    chmod 711 "$RUN_DIR"
    mkdir -m 711 "$RUN_DIR/tmp" # a database server of a test runs as its own user and has to get through
    export TEKNO_RUN_DIR="$RUN_DIR"
    export TMPDIR="$RUN_DIR/tmp"
}

# Prints the ids of the processes that were started under this run.
marked_processes() {
    local file
    for file in /proc/[0-9]*/environ; do
        if grep -qzxF "TEKNO_RUN_DIR=$RUN_DIR" "$file" 2>/dev/null; then
            file=${file#/proc/}
            printf '%s\n' "${file%/environ}"
        fi
    done
}

# Ends every marked process: asks first, and insists after SERVER_STOP_SECONDS.
end_marked_processes() {
    local waited=0 left pid
    while left=$(marked_processes) && [ -n "$left" ]; do
        for pid in $left; do
            if [ "$waited" -ge $((SERVER_STOP_SECONDS * 5)) ]; then
                kill -KILL "$pid" 2>/dev/null || true
            elif [ "$waited" -eq 0 ]; then
                kill -TERM "$pid" 2>/dev/null || true
            fi
        done
        # A process that can't be killed is in the kernel's hands; don't wait for it for ever.
        if [ "$waited" -ge $((SERVER_STOP_SECONDS * 10)) ]; then
            return 1
        fi
        sleep 0.2
        waited=$((waited + 1))
    done
}

# Ends the run's processes and removes its directories. Safe to call twice.
close_run_dir() {
    [ -n "${RUN_DIR:-}" ] && [ -d "$RUN_DIR" ] || return 0
    if end_marked_processes; then
        [ "${#SERVER_PIDS[@]}" -eq 0 ] || wait "${SERVER_PIDS[@]}" 2>/dev/null || true
    else
        echo "some processes of this run could not be ended: $(marked_processes)" >&2
    fi
    if [ -f "$RUN_DIR/mysql.datadir" ]; then
        rm -rf --one-file-system -- "$(cat "$RUN_DIR/mysql.datadir")"
    fi
    rm -rf --one-file-system -- "$RUN_DIR"
}

# Prints a TCP port nobody listens on.
free_port() {
    node -e 'const s = require("node:net").createServer(); s.listen(0, "127.0.0.1", () => { console.log(s.address().port); s.close(); });'
}

# random_hex BYTES: prints that many random bytes in hex.
random_hex() {
    od -An -vtx1 -N"$1" /dev/urandom | tr -d ' \n'
}

# wait_for_server NAME PID LOG COMMAND…: waits until COMMAND succeeds; shows the log's end when it doesn't.
wait_for_server() {
    local name=$1 pid=$2 log=$3 tries=$((SERVER_START_SECONDS * 5))
    shift 3
    until "$@" >/dev/null 2>&1; do
        tries=$((tries - 1))
        if [ "$tries" -le 0 ] || ! kill -0 "$pid" 2>/dev/null; then
            echo "$name did not start; the end of its log:" >&2
            tail -n 30 "$log" >&2
            return 1
        fi
        sleep 0.2
    done
}

# as_database_user: prints the option that makes a server started by root give root up.
as_database_user() {
    if [ "$(id -u)" -eq 0 ]; then
        echo --user=mysql
    fi
}

# Runs a statement on this run's MariaDB.
mariadb_query() {
    mariadb --no-defaults --user=root --socket="$RUN_DIR/mariadb/socket" --skip-column-names -e "$1"
}

prepare_mariadb() {
    local dir="$RUN_DIR/mariadb"
    mkdir -p "$dir/data"
    [ "$(id -u)" -ne 0 ] || chown -R mysql "$dir"
    # shellcheck disable=SC2046 # one word or none
    TMPDIR=$dir mariadb-install-db --no-defaults $(as_database_user) --datadir="$dir/data" \
        --auth-root-authentication-method=normal --skip-test-db >"$dir/install.log" 2>&1 || {
        tail -n 30 "$dir/install.log" >&2
        return 1
    }
}

launch_mariadb() {
    local dir="$RUN_DIR/mariadb"
    MARIADB_PORT=$(free_port)
    # shellcheck disable=SC2046 # one word or none
    TMPDIR=$dir PATH="$PATH:/usr/sbin" setsid mariadbd --no-defaults $(as_database_user) \
        --datadir="$dir/data" --socket="$dir/socket" --pid-file="$dir/pid" --tmpdir="$dir" \
        --bind-address=127.0.0.1 --port="$MARIADB_PORT" --skip-name-resolve --skip-log-bin \
        --innodb-flush-log-at-trx-commit=1 </dev/null >"$dir/log" 2>&1 &
    MARIADB_PID=$!
    SERVER_PIDS+=("$MARIADB_PID")
}

# Waits for MariaDB and writes the URL of an empty database on it to $RUN_DIR/mariadb.url.
# `root` has no password: the server listens on loopback only and lives for one run.
await_mariadb() {
    wait_for_server MariaDB "$MARIADB_PID" "$RUN_DIR/mariadb/log" mariadb_query 'SELECT 1'
    mariadb_query 'CREATE DATABASE tekno CHARACTER SET utf8mb4 COLLATE utf8mb4_bin'
    echo "mysql://root@127.0.0.1:$MARIADB_PORT/tekno" >"$RUN_DIR/mariadb.url"
    mariadb_query 'SELECT CONCAT("MariaDB ", VERSION())'
}

# Prints where the Debian tree with MySQL is kept between runs.
mysql_tree() {
    if [ -n "${XDG_CACHE_HOME:-}" ]; then
        printf '%s/tekno-logger/mysql-sid\n' "$XDG_CACHE_HOME"
    else
        printf '%s/.cache/mysql-sid\n' "$ROOT"
    fi
}

# debian_mirror [PROXY]: prints the first Debian mirror of this machine's apt configuration that has the suite `sid`.
debian_mirror() {
    local uri
    for uri in $(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' | sort -u); do
        uri=${uri%/}
        case $uri in http://* | https://*) ;; *) continue ;; esac
        if http_proxy=${1:-${http_proxy:-}} curl -fsIL --max-time 20 -o /dev/null "$uri/dists/sid/InRelease"; then
            printf '%s\n' "$uri"
            return 0
        fi
    done
    echo "no mirror in this machine's apt configuration has Debian's sid" >&2
    return 1
}

# Unpacks MySQL and what it needs from Debian's sid into a tree of its own, once (about a minute, 900 MB).
build_mysql_tree() {
    local tree mirror proxy=
    tree=$(mysql_tree)
    [ -f "$tree/.complete" ] && return 0
    eval "$(apt-config shell proxy Acquire::http::Proxy)"
    mirror=$(debian_mirror "$proxy")
    rm -rf --one-file-system -- "$tree"
    mkdir -p "$tree"
    echo "unpacking MySQL from Debian's sid (once)"
    env ${proxy:+http_proxy="$proxy"} debootstrap --variant=minbase --include=mysql-server sid "$tree" "$mirror" \
        >"$RUN_DIR/debootstrap.log" 2>&1 || {
        tail -n 30 "$RUN_DIR/debootstrap.log" >&2
        return 1
    }
    touch "$tree/.complete"
}

# Says why MySQL can't be started here, or nothing.
mysql_obstacle() {
    if [ "$(id -u)" -ne 0 ]; then
        echo "starting MySQL needs root (for chroot)"
    elif ! grep -qs '^ID=debian$' /etc/os-release; then
        echo "MySQL is taken from Debian's sid and this machine is not Debian"
    fi
}

# The run's folder as MySQL sees it. Its data is inside the tree, because mysqld sees nothing else.
mysql_folder() {
    printf '/var/tmp/%s\n' "$(basename "$RUN_DIR")"
}

# in_mysql_tree COMMAND…: runs a command in the tree.
in_mysql_tree() {
    TMPDIR=$(mysql_folder) chroot "$(mysql_tree)" "$@"
}

# Runs a statement on this run's MySQL.
mysql_query() {
    in_mysql_tree mysql --no-defaults --user=root --socket="$(mysql_folder)/socket" --skip-column-names -e "$1"
}

# Makes MySQL's data directory and a user that logs in by caching_sha2_password, MySQL's default.
prepare_mysql() {
    local folder log="$RUN_DIR/mysql.log" password
    folder=$(mysql_folder)
    password=$(random_hex 16)
    echo "$(mysql_tree)$folder" >"$RUN_DIR/mysql.datadir"
    echo "$password" >"$RUN_DIR/tmp/mysql.password"
    mkdir -p "$(mysql_tree)$folder/data"
    cat >"$(mysql_tree)$folder/init.sql" <<SQL
CREATE DATABASE tekno CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
CREATE USER 'tekno'@'%' IDENTIFIED WITH caching_sha2_password BY '$password';
GRANT ALL ON *.* TO 'tekno'@'%' WITH GRANT OPTION;
SQL
    in_mysql_tree chown -R mysql "$folder"
    in_mysql_tree mysqld --no-defaults --user=mysql --datadir="$folder/data" --initialize-insecure >"$log" 2>&1 || {
        tail -n 30 "$log" >&2
        return 1
    }
}

launch_mysql() {
    local folder
    folder=$(mysql_folder)
    MYSQL_PORT=$(free_port)
    TMPDIR=$folder setsid chroot "$(mysql_tree)" mysqld --no-defaults --user=mysql --datadir="$folder/data" \
        --socket="$folder/socket" --pid-file="$folder/pid" --init-file="$folder/init.sql" --mysqlx=OFF \
        --bind-address=127.0.0.1 --port="$MYSQL_PORT" --skip-log-bin --innodb-flush-log-at-trx-commit=1 \
        </dev/null >>"$RUN_DIR/mysql.log" 2>&1 &
    MYSQL_PID=$!
    SERVER_PIDS+=("$MYSQL_PID")
}

# Waits for MySQL and writes the URL of an empty database on it to $RUN_DIR/mysql.url.
await_mysql() {
    wait_for_server MySQL "$MYSQL_PID" "$RUN_DIR/mysql.log" mysql_query 'SELECT 1'
    echo "mysql://tekno:$(cat "$RUN_DIR/tmp/mysql.password")@127.0.0.1:$MYSQL_PORT/tekno" >"$RUN_DIR/mysql.url"
    mysql_query 'SELECT CONCAT("MySQL ", VERSION())'
}
