import KernelVA

/// What `read` reads from, at most a page at a time.
protocol ReadSource {
  /// log2 of the size of the pieces.
  var pageShift: Int { get }
  /// The place of `address`, or why it has none.
  func locate(_ address: UInt64) -> Result<Place, Unreadable>
}

/// Where an address is.
struct Place {
  var physical: PhysicalAddress
  /// Why that may be wrong; nil if nothing suggests it.
  var doubt: Diagnostic?
}

/// Why an address cannot be read.
struct Unreadable: Error {
  /// The reason, by which neighbours are merged.
  enum Kind: Equatable {
    case unmapped(Resolution.Status, Diagnostic?)
    case absent(Absence)
  }
  var kind: Kind
  /// The reason in one line.
  var message: Diagnostic
}

struct PhysicalSource: ReadSource {
  let dump: DumpFile
  var pageShift: Int { 12 }
  func locate(_ address: UInt64) -> Result<Place, Unreadable> { .success(Place(physical: PhysicalAddress(address))) }
}

struct VirtualSource: ReadSource {
  let kernel: Kernel
  let user: TranslationRegime?
  var pageShift: Int { kernel.regime.granule.pageShift }
  func locate(_ address: UInt64) -> Result<Place, Unreadable> {
    let resolution = kernel.resolve(VirtualAddress(address), user: user)
    if let physical = resolution.physical { return .success(Place(physical: physical, doubt: resolution.doubt)) }
    return .failure(
      Unreadable(
        kind: .unmapped(resolution.status, resolution.message),
        message: resolution.unreadable))
  }
}
