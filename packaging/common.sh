# Functions that the scripts of this folder share. They run in the project's root.

fail() {
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit 1
}

need() {
  local program
  for program; do
    command -v "$program" >/dev/null || fail "needs the program $program; on Debian, see packaging/README.md"
  done
}

version() { sed -n 's/.*static let version = "\(.*\)".*/\1/p' Sources/kva/App/Version.swift; }

# The time of the commit, for all packed files: two builds of one commit are identical.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
export SOURCE_DATE_EPOCH
export TZ=UTC LC_ALL=C.UTF-8
umask 022

# Where toolchains and trees are made.
work=${KVA_PACKAGING:-$PWD/.build/packaging}
mkdir -p "$work"

# built ARCH: builds the program for an architecture in Debian's terms, and sets
#   kva     its path
#   run     what runs it here
#   strip   the program that strips it
built() {
  local here
  here=$(dpkg --print-architecture)
  if [[ $1 == "$here" ]]; then
    need swift strip
    swift build -c release --product kva
    kva=$PWD/.build/release/kva run='' strip=strip objdump=objdump
  elif [[ $1 == arm64 && $here == amd64 ]]; then
    packaging/arm64/build
    kva=$PWD/.build-arm64/release/kva
    run="qemu-aarch64-static -L $work/sysroot-arm64"
    strip=aarch64-linux-gnu-strip objdump=aarch64-linux-gnu-objdump
  else
    fail "$1 cannot be built on $here"
  fi
}

# stage TREE: the files of kva below TREE/usr, the program without its symbols.
stage() {
  rm -rf "$1"
  make -s install DESTDIR="$1" PREFIX=/usr KVA="$kva" RUN="$run"
  "$strip" --strip-unneeded "$1/usr/bin/kva"
}

# The version of the C library that an executable needs, such as 2.35.
glibc() { "$objdump" -T "$1" | sed -n 's/.*(\?GLIBC_\([0-9.]*\))\?.*/\1/p' | sort -uV | tail -n 1; }

# Gives every file below TREE the time of the commit.
settle() { find "$1" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +; }
