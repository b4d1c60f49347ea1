/// How far the kernel image reaches from `_stext`.
enum ImageReach {
  /// No image is larger: an allyesconfig one has 200 MiB, and modules had to reach all of it by a branch until 6.5.
  static let largest: UInt64 = 256 << 20
  /// `_stext` is at most this far into the image: TEXT_OFFSET, or a segment's alignment.
  /// (arch/arm64/kernel/vmlinux.lds.S)
  static let head: UInt64 = 2 << 20

  /// Where an image with its `_stext` at `text` may be.
  static func around(_ text: UInt64) -> Range<UInt64> {
    (text - min(text, head))..<(text < .max - largest ? text + largest : .max)
  }
}
