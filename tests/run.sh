#!/usr/bin/env bash
# usage: run.sh PYTEST [OPTION]...   runs all tests of Python, in three parts at once for root
#
# Every part waits more than it computes: two cores have room for three of them. Each but the last has a network of its
# own, where its ports meet nobody's, and a list of named ones of its own, where no prefix is another fleet's. For other
# users, who cannot make those, all tests run one after the other.
set -uo pipefail
beside=(
  "tests/fleet tests/decoys tests/fuzz"
  "tests/network tests/capture tests/clients tests/cli tests/chain"
)
# A shell has its children in the background ignore ^C, which fleets are tested with.
# shellcheck disable=SC2016
alone='ip link set lo up && mount -t tmpfs names /run/netns && exec env --default-signal=INT,QUIT "$@"'

if [ "$(id -u)" != 0 ] || ! unshare --net --mount true 2> /dev/null; then
  exec "$@"
fi
mkdir -p /run/netns
said=$(mktemp -d)
running=()
ignored=()
trap 'rm -rf "$said"' EXIT
for part in "${!beside[@]}"; do
  read -ra folders <<< "${beside[part]}"
  ignored+=("${folders[@]/#/--ignore=}")
  unshare --net --mount sh -c "$alone" sh "$@" -p no:cacheprovider "${folders[@]}" > "$said/$part" 2>&1 &
  running+=("$!")
done
trap 'kill "${running[@]}" 2> /dev/null' INT TERM
"$@" "${ignored[@]}"
code=$?
for part in "${!beside[@]}"; do
  wait "${running[part]}" || code=$?
  printf '\n== beside it: %s\n' "${beside[part]}"
  cat "$said/$part"
done
exit "$code"
