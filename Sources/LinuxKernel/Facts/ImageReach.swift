/// How far the kernel image reaches from `_stext`.
enum ImageReach {
  /// The largest image size: an allyesconfig kernel has 200 MiB, and until 6.5 modules had to reach all of it with a
  /// branch.
  static let largest: UInt64 = 256 << 20
  /// The largest offset of `_stext` in the image: TEXT_OFFSET, or a segment's alignment.
  /// (arch/arm64/kernel/vmlinux.lds.S)
  static let head: UInt64 = 2 << 20

  /// The range that an image with `_stext` at `text` may occupy.
  static func around(_ text: UInt64) -> Range<UInt64> {
    (text - min(text, head))..<(text < .max - largest ? text + largest : .max)
  }
}
