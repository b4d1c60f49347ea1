import Bytes
import CrashDump
import DebugInfo
import KernelLayout
import VMSA

/// What readers of kernel objects start from: the dump, the kernel's tables, and the facts known before any object is
/// read.
///
/// Immutable; readers hold it, or the parts they use. It holds no kernel objects and no answers.
final class KernelContext: Sendable {
  /// The dump.
  let dump: DumpFile
  /// The tables of the upper half.
  let regime: TranslationRegime
  /// The facts by which they were found.
  let facts: KernelFacts
  /// The address space layout.
  let layout: DetectedLayout
  /// The extent of the kernel image.
  let image: ImageSpan
  /// VMCOREINFO; nil if the dump has none.
  let vmcoreinfo: VMCoreInfo?
  /// Kernel memory by virtual address.
  let memory: KernelMemory
  /// The kernel's symbols, without those of modules.
  let symbols: KernelSymbols
  /// The kernel's types, located on first use.
  let types: Lazy<KernelTypes>
  /// How output addresses are interpreted, read on first use.
  let outputs: Lazy<OutputAddresses>

  init(
    dump: DumpFile, regime: TranslationRegime, facts: KernelFacts, layout: DetectedLayout, image: ImageSpan,
    vmcoreinfo: VMCoreInfo?, memory: KernelMemory, symbols: KernelSymbols, types: Lazy<KernelTypes>,
    outputs: Lazy<OutputAddresses>
  ) {
    self.dump = dump
    self.regime = regime
    self.facts = facts
    self.layout = layout
    self.image = image
    self.vmcoreinfo = vmcoreinfo
    self.memory = memory
    self.symbols = symbols
    self.types = types
    self.outputs = outputs
  }

  /// Walks the kernel's tables for `address`; a tag is removed first.
  func translate(_ address: VirtualAddress) -> WalkResult {
    self.dump.memory.walk(regime, address.untagged)
  }

  /// The address `physical + offset` in the linear map or the image, if the tables map it to `physical`.
  func alias(of physical: UInt64, movedBy offset: UInt64) -> UInt64? {
    let moved = physical &+ offset
    return memory.leaf(at: moved)?.physical.rawValue == physical ? moved : nil
  }

  /// The entries that a walk for `address` reads, from the root down.
  ///
  /// - Parameter tables: tables of user space to walk instead of the kernel's.
  func walkSteps(to address: VirtualAddress, by tables: TranslationRegime? = nil) -> [WalkStep] {
    func walk(_ memory: some PhysicalMemory) -> [WalkStep] {
      var trace = WalkTrace()
      _ = (tables ?? regime).walk(address.untagged, in: memory, observer: &trace)
      return trace.steps
    }
    return walk(self.dump.memory)
  }

  /// The most tables that a pass may read.
  var tableLimit: Int { self.dump.tableLimit(regime.granule) }

  /// Shows `observer` every entry of the kernel's tables for `range`, by ascending address.
  ///
  /// - Parameters:
  ///   - range: the first and last address, both included; all that the tables translate if nil.
  ///   - tables: tables of user space or of the hypervisor to sweep instead of the kernel's.
  @discardableResult
  func sweep<Observer: SweepObserver>(
    _ range: ClosedRange<UInt64>? = nil, of tables: TranslationRegime? = nil, _ observer: inout Observer
  ) -> SweepResult {
    outputs.value.applied(to: tables ?? regime).sweep(
      range, in: self.dump.memory, tableLimit: tableLimit, observer: &observer)
  }

  /// The kernel's address arithmetic.
  var arithmetic: Arithmetic {
    let linearMap = LinearMap(facts, layout, regime, self.dump) { self.symbols.symbol(named: $0) }
    return Arithmetic(linearMap, imageOffset: facts.kimageVoffset?.value)
  }

  /// The page array; nil if its location is unknown.
  func vmemmap(_ arithmetic: @autoclosure () -> Arithmetic) -> Vmemmap? {
    Vmemmap(layout, vmcoreinfo, linearOffset: arithmetic().linearOffset?.value)
  }
}
