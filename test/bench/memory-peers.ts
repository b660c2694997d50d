/** How others append to one file from many processes: shell scripts under a lock, and git. As texts for bash. */

/** Prints the milliseconds that each turn of the loop took, as one JSON array. */
function timed(count: number, work: string): string {
  return `echo ready; read -r _; times=
    for ((i = 0; i < ${count}; i++)); do
      before=\${EPOCHREALTIME/./}
      ${work}
      after=\${EPOCHREALTIME/./}
      times+="\${times:+,}$(( (after - before) / 1000 )).$(printf %03d $(( (after - before) % 1000 )))"
    done
    echo "[$times]"`;
}

/** One fsynced append under a lock. */
export function lockedAppend(count: number): string {
  return timed(
    count,
    `flock log.lock dd of=log.md oflag=append conv=notrunc,fsync status=none <<< "- $1 $i a line as a bot would note it"`,
  );
}

/** The whole file read, changed, and put back under a lock that is held while it is written, and not while it is read. */
export function lockedWholeFile(count: number): string {
  return timed(
    count,
    `text=$(cat whole.md)
      printf '%s\\n- %s %s\\n' "$text" "$1" "$i" > "new-$1"
      sync "new-$1"
      flock whole.lock mv "new-$1" whole.md`,
  );
}

/** Commit, pull with rebase and push, until the push is taken. Begins in a clone of its own. */
export function gitAppend(count: number): string {
  return timed(
    count,
    `echo "- $1 $i" >> "log-$1.md"
      git add . && git commit --quiet -m "Note $1 $i"
      until git pull --quiet --rebase && git push --quiet; do :; done 2> /dev/null`,
  );
}
