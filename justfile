# The ways into this repository. `just` alone lists them. Needs: just, cargo; for some recipes what they say.

set shell := ["bash", "-euo", "pipefail", "-c"]

server := "target/debug/portcullis"

[private]
default:
    @just --list --unsorted

# Everything that must hold before a change lands; installs what it needs
ci:
    .ci/run

# All tests that need neither PostgreSQL nor a browser
test *args:
    cargo test --workspace --locked {{ args }}

# The store's contract on a PostgreSQL of your own, in which schemas may be made: just test-postgres postgres://…
test-postgres url:
    PORTCULLIS_TEST_POSTGRES='{{ url }}' cargo test --locked -p portcullis-store --test contract

# A real browser against the built-in pages (needs node, npm, chromium)
browser:
    cargo build --locked -p portcullis
    tests/browser/run {{ server }}

# Ory's own clients and components against a server (needs node, npm, python3, chromium)
clients:
    cargo build --locked -p portcullis
    tests/clients/run {{ server }}

# Generated requests to every public route, until memory must have stopped growing: just hostile 7
hostile seed="1" requests="100000":
    PORTCULLIS_HOSTILE_SEED={{ seed }} PORTCULLIS_HOSTILE_REQUESTS={{ requests }} cargo test -p portcullis --test it hostile

# Formatting and lints
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets --locked -- -D warnings

# Serve from the sources; without arguments a first run in the folder `data`
run *args:
    cargo run -p portcullis -- serve {{ args }}

# Play recorded conversations by a runner that is kept elsewhere: just parity path/to/runner --only 'settings/*'
parity runner *args:
    cargo build --locked -p portcullis
    {{ runner }} run --server '{{ server }} serve -c {config} --dev --watch-courier' {{ args }}

# The program as it is shipped
dist:
    cargo build --locked --profile dist -p portcullis

# Starts a server with an account on free ports; leaves $public, $token, $pid and $folder. Ends it with the script.
served := '''
[ -x "$program" ] || just dist
for tool in wrk curl jq; do command -v "$tool" >/dev/null || { echo "needs $tool" >&2; exit 1; }; done
program=$(realpath "$program")
folder=$(mktemp -d)
port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
export PORTCULLIS_DATA=$folder LOG_LEVEL=error SERVE_PUBLIC_PORT=$(port) SERVE_ADMIN_PORT=$(port)
public=http://localhost:$SERVE_PUBLIC_PORT admin=http://localhost:$SERVE_ADMIN_PORT
"$program" serve >/dev/null &
pid=$!
trap 'kill $pid; wait $pid || true; rm -rf "$folder"' EXIT
until curl -sf "$admin/health/ready" >/dev/null; do sleep 0.1; kill -0 $pid; done
curl -sf "$admin/admin/identities" -H 'Content-Type: application/json' >/dev/null \
  -d '{"traits":{"email":"a@example.org"},"credentials":{"password":{"config":{"password":"correct horse battery"}}}}'
flow=$(curl -sf "$public/self-service/login/api" | jq -r .ui.action)
token=$(curl -sf "$flow" -H 'Content-Type: application/json' \
  -d '{"method":"password","identifier":"a@example.org","password":"correct horse battery"}' | jq -r .session_token)
load() { wrk -t1 -c"$connections" -d"$1s" --latency -H "X-Session-Token: $token" "$public$2"; }
'''

# Requests a second and latencies, on a database file (needs wrk, curl, jq, python3)
bench seconds="10" connections="32" program="target/dist/portcullis":
    #!/usr/bin/env bash
    set -euo pipefail
    program='{{ program }}' connections='{{ connections }}'
    {{ served }}
    for path in /health/alive /sessions/whoami /self-service/settings/api; do
      printf '\n== GET %s\n' "$path"
      load '{{ seconds }}' "$path" | grep -E 'Requests/sec|50%|99%|Non-2xx' || true
    done

# How long whoami takes while people sign in (needs python3)
storm *args:
    tests/load/sign_in_storm.py --server 'target/dist/portcullis serve -c {config}' {{ args }}

# What second factors cost (needs python3)
second-factors *args:
    tests/load/second_factors.py --server 'target/dist/portcullis serve -c {config} --dev' {{ args }}

# How long whoami takes beside 10,000 idle connections, and beside 1,000 clients that send too slowly (needs python3)
connections *args:
    tests/load/connections.py --server 'target/dist/portcullis serve -c {config}' {{ args }}

# How long whoami takes while a grown database is listed and swept; takes six minutes (needs python3)
grown *args:
    tests/load/grown.py --server 'target/dist/portcullis serve -c {config}' {{ args }}

# How fast 100,000 identities are imported, and what listing and look-up cost afterwards (needs python3)
imports *args:
    tests/load/imports.py --server 'target/dist/portcullis serve -c {config}' --program target/dist/portcullis {{ args }}

# Kills the server at random moments on SQLite, then on PostgreSQL, then PostgreSQL itself (needs python3, PostgreSQL)
kills rounds="100" seed="1":
    cargo build --locked -p portcullis
    for trial in '' '--database postgres' '--database postgres --victim postgres'; do \
      tests/load/kill.py --server '{{ server }} serve -c {config} --dev' --progress --rounds {{ rounds }} --seed {{ seed }} $trial; \
    done
    tests/load/hooks.py --server '{{ server }} serve -c {config} --dev' --rounds {{ rounds }} --seed {{ seed }}

# Kills couriers while their mail server, or service, is at its worst; counts what arrives (needs Debian's postgresql)
mails count="500" kills="40" seed="1":
    cargo build --locked -p portcullis
    for trial in '' '--database postgres' '--delivery http' '--delivery http --database postgres'; do \
      tests/load/mails.py --program '{{ server }}' --mails {{ count }} --kills {{ kills }} --seed {{ seed }} $trial; \
    done

# Cuts the power at random moments, on a disk in memory that forgets what was not synced
power-cuts rounds="2000" seed="1":
    PORTCULLIS_POWER_ROUNDS={{ rounds }} PORTCULLIS_POWER_SEED={{ seed }} cargo test --locked -p portcullis-store --test power -- --nocapture

# The long ones: power cuts, kills, then load for some minutes
soak rounds="100" minutes="10" seed="1":
    just power-cuts "$(({{ rounds }} * 20))" '{{ seed }}'
    just kills '{{ rounds }}' '{{ seed }}'
    just mails 500 40 '{{ seed }}'
    just load '{{ minutes }}'

# Load for a while; prints what memory and the database's log hold each minute (needs wrk, curl, jq, python3)
load minutes="10" connections="32" program="target/dist/portcullis":
    #!/usr/bin/env bash
    set -euo pipefail
    program='{{ program }}' connections='{{ connections }}'
    {{ served }}
    for minute in $(seq '{{ minutes }}'); do
      load 30 /sessions/whoami >/dev/null
      load 30 /self-service/settings/api >/dev/null
      memory=$(awk '/^VmRSS/ { print int($2 / 1024) }' "/proc/$pid/status")
      printf 'minute %d: %d MiB resident, %d MiB database, %d MiB log, %d open files\n' "$minute" "$memory" \
        "$(($(stat -c %s "$folder/portcullis.db") >> 20))" "$(($(stat -c %s "$folder/portcullis.db-wal") >> 20))" "$(ls "/proc/$pid/fd" | wc -l)"
    done
