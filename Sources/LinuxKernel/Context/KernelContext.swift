import Bytes
import CrashDump
import DebugInfo
import KernelLayout
import VMSA

/// What a reader of kernel objects starts from: the dump, the kernel's tables, and what is known of the kernel before
/// any object is read.
///
/// Immutable; readers hold it, or the parts they use. It holds no object of the kernel and no answer.
final class KernelContext: Sendable {
  /// The dump.
  let dump: DumpFile
  /// The tables of the upper half.
  let regime: TranslationRegime
  /// What had to be known to find them.
  let facts: KernelFacts
  /// Where the regions lie.
  let layout: DetectedLayout
  /// Where the kernel image lies.
  let image: ImageSpan
  /// What the kernel says of itself; nil if the dump has no VMCOREINFO.
  let vmcoreinfo: VMCoreInfo?
  /// Kernel memory by virtual address.
  let memory: KernelMemory
  /// The kernel's names, without those of modules.
  let symbols: KernelSymbols
  /// The kernel's types, located on first use.
  let types: Lazy<KernelTypes>
  /// What else there is to know of output addresses, read on first use.
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

  /// `physical` moved by `offset`, as the linear map and the image are, if the tables map it there.
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

  /// How many tables a pass may read.
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

  /// Where the kernel's arithmetic puts addresses.
  var arithmetic: Arithmetic {
    let linearMap = LinearMap(facts, layout, regime, self.dump) { self.symbols.symbol(named: $0) }
    return Arithmetic(linearMap, imageOffset: facts.kimageVoffset?.value)
  }

  /// Where the `struct page` of a frame is; nil if the dump does not say.
  func vmemmap(_ arithmetic: @autoclosure () -> Arithmetic) -> Vmemmap? {
    Vmemmap(layout, vmcoreinfo, linearOffset: arithmetic().linearOffset?.value)
  }
}
