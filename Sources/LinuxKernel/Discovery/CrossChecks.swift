import Bytes
import CrashDump
import KernelLayout
import VMSA

/// Cross-checks of independent facts about a kernel: what agrees is hardly wrong, and disagreements are reported before
/// anything else.
package struct CrossChecks: Sendable {
  /// What is checked in two ways.
  package enum Subject: String, Sendable {
    /// Where the kernel's text is.
    case text
    /// Where `swapper_pg_dir` is.
    case rootTable = "root table"
    /// Where the linear map begins.
    case linearMap = "linear map"
    /// OSRELEASE and `init_uts_ns`.
    case release
    /// The release and `linux_banner`.
    case banner
  }

  /// One fact checked in two ways.
  package struct Check: Sendable {
    /// What was checked.
    package let subject: Subject
    /// The outcome.
    package let outcome: Outcome
    /// Both values, or why there is only one, as text.
    package let detail: String

    /// The warning about a check that disagrees.
    var warning: Diagnostic {
      Diagnostic(
        .contradiction, subject.rawValue, "the dump contradicts itself, \(subject.rawValue): \(detail)")
    }
  }

  /// The outcome of a check.
  package enum Outcome: String, Sendable {
    /// Both ways give the same result.
    case agrees
    /// They give different results: one of them is wrong.
    case disagrees
    /// One of them is unavailable.
    case unknown
  }

  /// The checks, in the order in which they build on each other.
  package private(set) var checks: [Check] = []

  /// What disagrees.
  var disagreements: [Check] { checks.filter { $0.outcome == .disagrees } }

  /// How many checks agree.
  var agreements: Int { checks.count { $0.outcome == .agrees } }

  private mutating func add(_ subject: Subject, _ outcome: Outcome, _ detail: String) {
    checks.append(Check(subject: subject, outcome: outcome, detail: detail))
  }

  /// Makes the checks that need only a handful of reads.
  init(
    _ facts: KernelFacts, _ regime: TranslationRegime, _ layout: DetectedLayout, _ vmcoreinfo: VMCoreInfo?,
    _ dump: DumpFile
  ) {
    let text = vmcoreinfo?.symbol("_stext")
    if let offset = facts.kimageVoffset?.value, let text {
      check(.text, "_stext", at: text, is: PhysicalAddress(text &- offset), regime, dump)
    } else {
      add(.text, .unknown, "nothing tells where the kernel's text is")
    }
    if let root = facts.swapperVirtual?.value.rawValue {
      check(.rootTable, "swapper_pg_dir", at: root, is: regime.root, regime, dump)
    } else {
      add(.rootTable, .unknown, "its virtual address is not known")
    }
    if LinearMap.isDetached(layout, facts) {
      add(.linearMap, .unknown, "PHYS_OFFSET does not describe the linear map of 5.4 to 5.9")
    } else if let start = layout.layout?.linearMap.start, let offset = facts.physOffset?.value {
      let address = start &+ regime.root.rawValue &- offset
      check(.linearMap, "swapper_pg_dir in the linear map", at: address, is: regime.root, regime, dump)
      excuseEmptyLinearMap(layout.layout?.linearMap, regime, dump)
    } else {
      add(.linearMap, .unknown, "PHYS_OFFSET or the layout is not known")
    }
    checkRelease(facts, vmcoreinfo, KernelMemory(dump, regime, vmcoreinfo))
  }

  /// Withdraws a failed check of the linear map if the tables have no linear map at all.
  private mutating func excuseEmptyLinearMap(
    _ linear: AddressLayout.Span?, _ regime: TranslationRegime, _ dump: DumpFile
  ) {
    guard checks.last?.outcome == .disagrees, let linear, regime.linearOffset(in: linear, of: dump) == nil else {
      return
    }
    checks.removeLast()
    add(.linearMap, .unknown, "nothing is mapped there")
  }

  /// Whether the tables map `address` to `expected`.
  private mutating func check(
    _ subject: Subject, _ what: String, at address: UInt64, is expected: PhysicalAddress, _ regime: TranslationRegime,
    _ dump: DumpFile
  ) {
    switch dump.memory.walk(regime, VirtualAddress(address)) {
    case .mapped(let leaf) where leaf.physical == expected:
      add(subject, .agrees, "\(what) at \(hex(address)) is mapped to \(hex(expected.rawValue))")
    case .mapped(let leaf):
      add(
        subject, .disagrees,
        "\(what) at \(hex(address)) is mapped to \(hex(leaf.physical.rawValue)), not to \(hex(expected.rawValue))")
    case .tableMissing(_, let fault): add(subject, .unknown, dump.describe(fault))
    default: add(subject, .disagrees, "\(what) at \(hex(address)) is not mapped")
    }
  }

  /// OSRELEASE against `init_uts_ns`.
  private mutating func checkRelease(_ facts: KernelFacts, _ vmcoreinfo: VMCoreInfo?, _ space: KernelMemory) {
    guard let release = facts.release?.value, let uts = vmcoreinfo?.symbol("init_uts_ns") else {
      return add(.release, .unknown, "the release or init_uts_ns is not known")
    }
    guard let names = SystemNames.address(in: uts, vmcoreinfo, space) else {
      // Unreadable names, in the first 16 bytes, contradict nothing.
      guard space.bytes(at: uts, count: 16) != nil else {
        return add(.release, .unknown, "init_uts_ns is not in the dump")
      }
      return add(.release, .disagrees, "there is no system name at init_uts_ns, \(hex(uts))")
    }
    guard let said = SystemNames(at: names, space).release else {
      return add(.release, .unknown, "init_uts_ns is not in the dump")
    }
    if said == release {
      add(.release, .agrees, "init_uts_ns says \(said), as \(facts.release?.source ?? "VMCOREINFO") does")
    } else {
      add(.release, .disagrees, "init_uts_ns says '\(said)', \(facts.release?.source ?? "VMCOREINFO") '\(release)'")
    }
  }

  /// Adds the slower check of the banner, at its address, or, without a symbol, wherever `search` finds it.
  mutating func checkBanner(
    _ facts: KernelFacts, at address: UInt64?, _ space: KernelMemory, _ search: ReadOnlyDataScan?
  ) {
    let release: String
    if let address {
      guard let banner = space.string(at: address, limit: 512) else {
        return add(.banner, .unknown, "linux_banner at \(hex(address)) is not in the dump")
      }
      guard let named = KernelBanner.release(banner) else {
        return add(.banner, .disagrees, "there is no banner at linux_banner, \(hex(address))")
      }
      release = named
    } else {
      guard let found = search?.banner() else {
        return add(.banner, .unknown, "no symbol names linux_banner, and none was found in the image")
      }
      release = found
    }
    guard let told = facts.release?.value else {
      return add(.banner, .unknown, "the banner says \(release), and nothing else tells the release")
    }
    add(.banner, release == told ? .agrees : .disagrees, "the banner says \(release), the release is \(told)")
  }
}
