#!/bin/sh
# Writes the golden frames as bytes into the corpus folders of the two decoder targets.
set -eu
cd "$(dirname "$0")"
mkdir -p corpus/agent_frame corpus/hub_frame
for hex in ../golden/*.hex; do
    name=$(basename "$hex" .hex)
    case $(head -c 1 "$hex") in
    8) target=hub_frame ;; # bit 7 of the type: the hub sends it
    *) target=agent_frame ;;
    esac
    xxd -r -p "$hex" "corpus/$target/$name"
done
