import CrashDump
import KernelLayout
import VMSA

extension Kernel {
  /// Shows `observer` all entries of the kernel's tables for `range`, in address order: each table is read once, so
  /// that the cost grows with the tables and not with the address space.
  ///
  /// - Parameters:
  ///   - range: the first and last address, both included; all that the tables translate if nil.
  ///   - tables: tables of user space or of the hypervisor to sweep instead of the kernel's.
  /// - Returns: the number of tables read, and whether the pass stopped because there were more than a dump of this
  ///   size can hold.
  @discardableResult
  public func sweep<Observer: SweepObserver>(
    _ range: ClosedRange<UInt64>? = nil, of tables: TranslationRegime? = nil, _ observer: inout Observer
  ) -> SweepResult {
    context.sweep(range, of: tables, &observer)
  }

  /// Calls `body` with every mapping in `range`. Adjacent ones with the same visible attributes are merged, but split
  /// at region bounds.
  ///
  /// - Parameter user: tables of user space to list instead of the kernel's.
  /// - Returns: the result of the pass, with counts of unreadable tables and malformed entries.
  public func mappedRanges(
    _ range: ClosedRange<UInt64>? = nil, user: TranslationRegime? = nil, _ body: @escaping (MappedRange) -> Void
  ) -> SweepReport {
    let map = user == nil ? contents.regions.map(in: self.dump) : RegionMap(nil, image: nil, first: 0)
    return MappedRange.forEach(range, of: context, user: user, in: map, contents.checks.value, body)
  }

  /// The hypervisor's view of the first address of a range in its tables; nil for any other range.
  package func hypervisorAddress(of range: MappedRange) -> Hypervisor.Address? {
    guard range.region == .hypervisor else { return nil }
    let leaf = Leaf(
      physical: range.physical, level: range.level, shift: regime.granule.shift(level: range.level),
      attributes: Attributes(range.descriptor, isSingleRange: true))
    return hypervisor.address(range.first, leaf, in: self.dump)
  }

  /// Calls `line` with each line, without its newline, of what the kernel would have printed as `kernel_page_tables` in
  /// debugfs at that moment; nil if the layout is unknown.
  ///
  /// - Parameter user: tables of user space to list instead, in the same form, without markers.
  public func kernelListing(
    user: TranslationRegime? = nil, _ line: @escaping (String) -> Void
  ) -> SweepReport? {
    DebugfsListing.write(context, user: user, types: memoryTypes?.value, contents.checks.value, line)
  }

  /// Every virtual address that maps `physical`, in order.
  ///
  /// - Parameter task: the process whose tables are searched; nil for the kernel's.
  public func reverseMap(
    _ physical: PhysicalAddress, task: KernelTask? = nil, _ body: @escaping (ReverseMapping) -> Void
  ) -> SweepReport {
    let user = task.flatMap { $0.root.map { userRegime(root: $0) } }
    let map =
      user.map { RegionMap(nil, image: nil, first: $0.firstAddress) } ?? contents.regions.map(in: self.dump)
    return ReverseMapping.forEach(of: physical, in: context, task: task, user: user, map, contents.checks.value, body)
  }

  /// The layout of this dump and what is mapped in each region; nil if the layout is unknown.
  public func regions() -> RegionListing? {
    RegionUse.all(of: context, contents.checks.value)
  }

  /// Audits all of the kernel's tables for what no healthy kernel has.
  public func audit() -> AuditReport {
    AuditReport.of(context, types: memoryTypes?.value, contents.arithmetic.value, contents.sections.value)
  }

  /// The known root tables of the kernel, `swapper_pg_dir` first.
  package var rootTables: [RootTable] { contents.rootTables.value }
}
