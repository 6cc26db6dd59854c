#!/usr/bin/env bash
# usage: run.sh PYTEST [OPTION]...   runs all tests of Python, those of whole fleets beside all others
#
# Fleets mostly wait, and the others leave a core free. For root they get a network of their own, where their ports meet
# nobody's; for other users all tests run one after the other.
set -uo pipefail
fleets=(tests/fleet tests/network tests/capture)

if [ "$(id -u)" != 0 ] || ! unshare --net true 2> /dev/null; then
  exec "$@"
fi
said=$(mktemp)
trap 'rm -f "$said"' EXIT
# A shell has its children in the background ignore ^C, which fleets are tested with.
unshare --net sh -c 'ip link set lo up && exec env --default-signal=INT,QUIT "$@"' sh "$@" -p no:cacheprovider "${fleets[@]}" > "$said" 2>&1 &
beside=$!
trap 'kill "$beside" 2> /dev/null' INT TERM
"$@" "${fleets[@]/#/--ignore=}"
code=$?
wait "$beside" || code=$?
printf '\n== beside it: %s\n' "${fleets[*]}"
cat "$said"
exit "$code"
