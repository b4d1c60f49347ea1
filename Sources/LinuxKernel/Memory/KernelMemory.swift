import Bytes
import CrashDump
import VMSA

/// Kernel virtual memory as bytes: each read goes through the tables in the dump.
///
/// Unreadable memory is nil, whatever the reason; `Kernel.resolve` gives the reason.
public struct KernelMemory: ByteSource {
  /// The dump's path.
  package let path: String
  /// All addresses.
  package var byteCount: UInt64 { .max }
  let regime: TranslationRegime
  let memory: any PhysicalMemory
  /// The addresses that may be the kernel image: around `_stext`.
  let image: Range<UInt64>
  /// The end of RAM, as the dump describes it. Only addresses beyond it may have one of the `sharedBits`.
  private let endOfRAM: UInt64
  /// The descriptor bits that mark memory shared by a Realm; nil for memory that is never shared.
  private let sharedBits: Lazy<UInt64>?

  init(_ dump: DumpFile, _ regime: TranslationRegime, _ vmcoreinfo: VMCoreInfo?) {
    self.init(dump, regime, around: ImageReach.around(vmcoreinfo?.symbol("_stext") ?? 0))
  }

  /// - Parameter image: the addresses of the kernel image.
  init(_ dump: DumpFile, _ regime: TranslationRegime, around image: Range<UInt64>) {
    self.image = image
    path = dump.path
    memory = dump.memory
    self.regime = regime
    endOfRAM = dump.endOfMemory
    sharedBits = nil
  }

  /// The same memory, including what a Realm shares.
  init(_ other: KernelMemory, sharedBits: Lazy<UInt64>) {
    image = other.image
    path = other.path
    memory = other.memory
    regime = other.regime
    endOfRAM = other.endOfRAM
    self.sharedBits = sharedBits
  }

  /// The leaf that maps `address`, ignoring its tag.
  package func leaf(at address: UInt64) -> Leaf? { walk(VirtualAddress(address).untagged).leaf }

  /// Walks the kernel's tables for `address`, which has no tag.
  private func walk(_ address: VirtualAddress) -> WalkResult {
    let result = memory.walk(regime, address)
    guard case .mapped(let leaf) = result, leaf.physical.rawValue >= endOfRAM, let bits = sharedBits?.value, bits != 0
    else { return result }
    return memory.walk(OutputAddresses(sharedBits: bits, physicalBits: nil).applied(to: regime), address)
  }

  /// The little-endian 64-bit word at `address`.
  public func word(at address: UInt64) -> UInt64? {
    if address & 7 == 0, let leaf = leaf(at: address) { return try? memory.word(at: leaf.physical) }
    return withBytes(address..<(address > .max - 8 ? address : address + 8)) { $0.integer(UInt64.self, at: 0) } ?? nil
  }

  /// The pointer at `address` without a KASAN tag, so that it can be compared, listed or looked up.
  package func pointer(at address: UInt64) -> UInt64? { word(at: address).map(untagged) }

  /// `word` without its tag if it is a tagged kernel pointer, else unchanged.
  @inline(__always)
  func untagged(_ word: UInt64) -> UInt64 {
    guard word >> 55 & 1 == 1 else { return word }
    let address = VirtualAddress(word).untagged
    return address.isCanonical(bits: regime.addressBits) ? address.rawValue : word
  }

  /// The little-endian integer at `address`; nil if it is not all there.
  package func integer<T: FixedWidthInteger & BitwiseCopyable>(_ type: T.Type = T.self, at address: UInt64) -> T? {
    let size = UInt64(MemoryLayout<T>.size)
    // Within one word no copy is needed.
    guard address & 7 &+ size > 8 else {
      return word(at: address & ~7).map { T(truncatingIfNeeded: $0 >> (address & 7 &* 8)) }
    }
    guard address <= .max - size else { return nil }
    return withBytes(address..<(address + size)) { $0.integer(T.self, at: 0) } ?? nil
  }

  /// Copies `count` bytes from `address` to `position` of `buffer`; false if they are not all there.
  package func copy(_ address: UInt64, count: Int, into buffer: inout MutableRawSpan, at position: Int) -> Bool {
    guard count >= 0, position >= 0, position <= buffer.byteCount, count <= buffer.byteCount - position else {
      return false
    }
    var done = 0
    while done < count {
      guard let leaf = leaf(at: address &+ UInt64(done)) else { return false }
      let rest = leaf.size - (leaf.physical.rawValue & (leaf.size - 1))
      let part = Int(min(rest, UInt64(count - done)))
      var piece = buffer._mutatingExtracting((position + done)..<(position + done + part))
      guard (try? memory.read(leaf.physical, into: &piece)) != nil else { return false }
      done += part
    }
    return true
  }

  /// Shows `body` a copy of the bytes of `range`, 64 MiB at most.
  package func withBytes<R>(_ range: Range<UInt64>, _ body: (RawSpan) -> R) -> R? {
    withCopy(of: range, body)
  }

  /// The text at `address` up to its NUL, at most `limit` bytes; nil if it is unreadable.
  public func string(at address: UInt64, limit: Int) -> String? {
    var text: [UInt8] = []
    while text.count < limit {
      let here = address &+ UInt64(text.count)
      let part = min(limit - text.count, 256 - Int(here & 255))
      guard let bytes = bytes(at: here, count: part) else { return nil }
      if let end = bytes.firstIndex(of: 0) { return String(decoding: text + bytes[..<end], as: UTF8.self) }
      text += bytes
    }
    return String(decoding: text, as: UTF8.self)
  }

  /// Calls `body` with each piece of `range` that can be read, in whole pages and at most a mebibyte at a time,
  /// overlapping the previous piece by `overlap` bytes if adjacent, until it returns false.
  ///
  /// - Parameter moved: only pages mapped at this offset from their frames, modulo 2^64.
  func forEachPiece(
    _ range: Range<UInt64>, overlap: Int = 0, moved: UInt64? = nil,
    _ body: (_ address: UInt64, _ bytes: [UInt8]) -> Bool
  ) {
    let step = regime.granule.size
    var here = range.lowerBound & ~(step - 1)
    var run: UInt64?
    func give(_ start: UInt64, _ end: UInt64) -> Bool {
      guard let bytes = bytes(at: start, count: Int(end - start)) else { return true }
      return body(start, bytes)
    }
    while here < range.upperBound {
      var next = here &+ step
      var isThere = false
      switch walk(VirtualAddress(here).untagged) {
      case .mapped(let leaf):
        isThere =
          memory.absence(at: leaf.physical) == nil && moved.map { here &- leaf.physical.rawValue == $0 } ?? true
      case .unmapped(let level):
        // Nothing that an invalid entry would cover is mapped.
        let size = UInt64(1) << UInt64(regime.granule.shift(level: level))
        next = (here & ~(size - 1)) &+ size
      default: break
      }
      if let start = run, !isThere || here - start >= 1 << 20 {
        guard give(start, here) else { return }
        run = isThere ? here - UInt64(overlap) : nil
      } else if run == nil, isThere {
        run = here
      }
      guard next > here else { return }
      here = next
    }
    if let start = run { _ = give(start, here) }
  }

  /// Copies the bytes at virtual `address` into `buffer`, page by page through the tables.
  public func read(_ address: VirtualAddress, into buffer: inout MutableRawSpan) throws(ReadFault) {
    var done = 0
    while done < buffer.byteCount {
      let here = (address &+ UInt64(done)).untagged
      let result = walk(here)
      guard let leaf = result.leaf else { throw .unmapped(here, result) }
      let rest = leaf.size - (leaf.physical.rawValue & (leaf.size - 1))
      let count = Int(min(rest, UInt64(buffer.byteCount - done)))
      var part = buffer._mutatingExtracting(done..<(done + count))
      do throws(MemoryFault) {
        try memory.read(leaf.physical, into: &part)
      } catch {
        throw .absent(here, error)
      }
      done += count
    }
  }
}

/// Why bytes at a virtual address are unreadable.
public enum ReadFault: Error, Sendable {
  /// The tables do not map the address; with the result of the walk.
  case unmapped(VirtualAddress, WalkResult)
  /// The address is mapped, but the frame is not in the dump.
  case absent(VirtualAddress, MemoryFault)
}
