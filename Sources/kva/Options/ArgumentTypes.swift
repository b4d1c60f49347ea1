import ArgumentParser
import KernelVA

/// A number on the command line: hex with 0x, else decimal.
struct Number: ExpressibleByArgument {
  let value: UInt64
  init?(argument: String) {
    guard let value = Query.number(argument) else { return nil }
    self.value = value
  }
}

/// A size or a length in bytes: decimal, or hex with 0x, with an optional suffix K, M, G or T.
struct Size: ExpressibleByArgument {
  let bytes: UInt64
  init(_ bytes: UInt64) { self.bytes = bytes }
  init?(argument: String) {
    guard let bytes = Query.byteSize(argument) else { return nil }
    self.bytes = bytes
  }
  var defaultValueDescription: String { Words.size(bytes) }
}

/// The size of a buffer of kva's own, at most 1T.
struct ByteSize: ExpressibleByArgument {
  let bytes: Int
  init?(argument: String) {
    guard let bytes = Query.byteSize(argument), bytes <= 1 << 40 else { return nil }
    self.bytes = Int(bytes)
  }
}

/// A width of virtual addresses that arm64 Linux can have.
struct VAWidth: ExpressibleByArgument {
  let bits: Int
  init?(argument: String) {
    guard let bits = Int(argument), PagingParameters.widths.contains(bits) else { return nil }
    self.bits = bits
  }
  static let allValueStrings = PagingParameters.widths.map(String.init)
}

/// A page size: 4K, 16K, 64K, or as many bytes.
struct PageSize: ExpressibleByArgument {
  let bytes: UInt64
  init?(argument: String) {
    guard let bytes = Query.byteSize(argument), Granule(size: bytes) != nil else { return nil }
    self.bytes = bytes
  }
  static let allValueStrings = ["4K", "16K", "64K"]
}
