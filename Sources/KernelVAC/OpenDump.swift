import KernelVA

/// The object behind a `kva_dump`: a dump, its kernel once needed, and caches of its tables.
final class OpenDump: Sendable {
  private let dump: DumpFile
  private let memory: any PhysicalMemory
  private let findKernel: @Sendable () throws(LocatedError) -> Kernel
  private let found = AtomicOnce<Result<Kernel, LocatedError>>()
  private let notes = AtomicOnce<[UInt8]>()
  /// Empty for the memory of a running kernel, whose tables change.
  private let lanes: [WalkLane]

  init(_ dump: DumpFile, kernel: @escaping @Sendable () throws(LocatedError) -> Kernel) {
    self.dump = dump
    memory = dump.memory
    findKernel = kernel
    lanes = dump.isLive ? [] : (0..<4).map { _ in WalkLane() }
  }

  private var kernel: Kernel {
    get throws(Failure) {
      switch found.value ?? found.value({ Result(catching: findKernel) }) {
      case .success(let kernel): return kernel
      case .failure(let error): throw .noKernel(error)
      }
    }
  }

  /// Walks for `address`, ignoring its tag: through the kernel's tables for the upper half, else through those of
  /// `user`.
  private func walk(
    _ kernel: Kernel, _ user: TranslationRegime?, _ address: VirtualAddress
  ) throws(Failure) -> Leaf {
    let regime = address.isUpperHalf ? kernel.regime : user ?? kernel.regime
    var result: WalkResult?
    for lane in lanes {
      result = lane.walk(regime, address.untagged, in: memory)
      if result != nil { break }
    }
    let ended = result ?? memory.walk(regime, address.untagged)
    guard let leaf = ended.leaf else { throw .unmapped(address, ended, kernel, user: user) }
    return leaf
  }

  /// The user tables at `root`.
  private func tables(_ kernel: Kernel, _ root: PhysicalAddress?) throws(Failure) -> TranslationRegime? {
    guard let root else { return nil }
    guard root.rawValue & 7 == 0 else { throw .argument("no root table begins at \(root)") }
    return kernel.userRegime(root: root)
  }

  /// Fills `buffer` from virtual `address`.
  func read(
    _ address: UInt64, tables root: PhysicalAddress?, into buffer: inout MutableRawSpan
  ) throws(Failure) {
    try Self.check(address, buffer.byteCount)
    let kernel = try kernel
    let user = try tables(kernel, root)
    let count = buffer.byteCount
    var done = 0
    while done < count {
      let here = VirtualAddress(address &+ UInt64(done))
      let leaf = try walk(kernel, user, here)
      let rest = leaf.size - (leaf.physical.rawValue & (leaf.size - 1))
      let part = Int(min(rest, UInt64(count - done)))
      var piece = buffer._mutatingExtracting(done..<(done + part))
      do throws(MemoryFault) {
        if part == 8, leaf.physical.rawValue & 7 == 0 {
          // Formats keep words of pages that are read over and over.
          piece.storeBytes(of: try memory.word(at: leaf.physical).littleEndian, toByteOffset: 0, as: UInt64.self)
        } else {
          try memory.read(leaf.physical, into: &piece)
        }
      } catch {
        throw .absent(here.rawValue &+ (error.address.rawValue &- leaf.physical.rawValue), error, dump)
      }
      done += part
    }
  }

  /// Fills `buffer` from physical `address`.
  func readPhysical(_ address: UInt64, into buffer: inout MutableRawSpan) throws(Failure) {
    try Self.check(address, buffer.byteCount)
    do throws(MemoryFault) {
      try memory.read(PhysicalAddress(address), into: &buffer)
    } catch {
      throw .absent(error.address.rawValue, error, dump)
    }
  }

  /// The physical address of virtual `address`, and how many bytes from there the same entry maps.
  func translate(
    _ address: UInt64, tables root: PhysicalAddress?
  ) throws(Failure) -> (physical: UInt64, length: UInt64) {
    let kernel = try kernel
    let leaf = try walk(kernel, try tables(kernel, root), VirtualAddress(address))
    return (leaf.physical.rawValue, leaf.size - (leaf.physical.rawValue & (leaf.size - 1)))
  }

  /// The address that `query` asks for.
  func find(_ query: String) throws(Failure) -> UInt64 {
    switch try kernel.address(of: query) {
    case .success(let address): return address.rawValue
    case .failure(let failure): throw .query(failure)
    }
  }

  /// The symbol of the kernel that is called `name`.
  func symbol(_ name: String) throws(Failure) -> Symbol {
    guard let symbol = try kernel.symbol(named: name) else { throw .symbol(name) }
    return symbol
  }

  /// An ELF core of the notes.
  func core() throws(Failure) -> [UInt8] {
    let kernel = try kernel
    return notes.value { kernel.coreOfNotes }
  }

  /// The root of the user tables that `text` names.
  func findTables(_ text: String) throws(Failure) -> UInt64 {
    switch try kernel.userRegime(text) {
    case .success(let regime): return regime.root.rawValue
    case .failure(let failure): throw .noTables(failure.message)
    }
  }

  /// Checks that `count` bytes at `address` do not run past the end of the address space.
  private static func check(_ address: UInt64, _ count: Int) throws(Failure) {
    guard count == 0 || address <= .max - UInt64(count - 1) else {
      throw .argument("\(count) bytes from 0x\(String(address, radix: 16)) go beyond the end of the address space")
    }
  }
}
