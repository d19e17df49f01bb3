#!/bin/sh
# Send VMC frames with liblo's oscsend until killed: one process and one source port a message.
# Usage: oscsend.sh PORT FRAMES.txt (each line the arguments of oscsend behind the address)
set -f
while :; do
  while read -r line; do
    # shellcheck disable=SC2086 # a line is several words
    oscsend "osc.udp://127.0.0.1:$1" $line
  done < "$2"
done
