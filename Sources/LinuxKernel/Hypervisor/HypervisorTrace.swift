import Bytes
import DebugInfo
import VMSA

/// The backtrace of a panic in KVM's code at EL2.
package struct HypervisorTrace: Sendable {
  /// The frames, innermost first, at the kernel's addresses of the code.
  package internal(set) var frames: [NamedFrame] = []
  /// Why the chain is broken; nil if it is not.
  package internal(set) var message: Diagnostic?

  /// The kernel function that a panic at EL2 returns to, which never returns. (arch/arm64/kvm/handle_exit.c)
  package static let handler = "nvhe_hyp_panic_handler"
}

/// Follows the frame records of a CPU's stack at EL2, starting from the one that `hyp_panic` left.
///
/// The per-CPU variable `kvm_stacktrace_info` has the bases of the stack and of the overflow stack, x29 and the program
/// counter, all hyp addresses. pKVM, whose stacks the kernel cannot reach, leaves a zero-terminated list of return
/// addresses in `pkvm_stacktrace`. (arch/arm64/kvm/hyp/nvhe/stacktrace.c, arch/arm64/kvm/stacktrace.c)
struct HypervisorTraceReader {
  let context: KernelContext
  let names: KernelNames
  let hypervisor: Hypervisor

  /// A page has room for 256 records.
  private static let mostFrames = 512
  /// The largest distance from `kvm_init_params` to another per-CPU variable of the hypervisor.
  private static let perCPUBytes: UInt64 = 16 << 10

  /// The trace of `cpu`; nil if nothing shows a panic there.
  func trace(of cpu: Int) -> HypervisorTrace? {
    guard let regime = hypervisor.regime?.value, let registers = hypervisor.cpus.first(where: { $0.cpu == cpu }),
      let parameters = registers.parameters
    else { return nil }
    let memory = KernelMemory(context.dump, regime, around: context.memory.image)
    if let list = variable("pkvm_stacktrace", beside: parameters), let saved = addresses(at: list, memory) {
      return saved
    }
    guard let top = registers.stack?.value, let info = info(parameters, top, memory) else { return nil }
    return follow(info, memory)
  }

  /// What `hyp_panic` left.
  private struct Info {
    let stacks: [Range<UInt64>]
    let fp: UInt64
    let pc: UInt64
  }

  private func info(_ parameters: UInt64, _ top: UInt64, _ memory: KernelMemory) -> Info? {
    if let address = variable("kvm_stacktrace_info", beside: parameters) { return info(at: address, top, memory) }
    // Without symbols for variables, the structure is recognised by the stack base.
    let page = parameters & ~(context.regime.granule.size - 1)
    for address in stride(from: page &- Self.perCPUBytes, to: page &+ Self.perCPUBytes, by: 8) {
      if let info = info(at: address, top, memory) { return info }
    }
    return nil
  }

  private func info(at address: UInt64, _ top: UInt64, _ memory: KernelMemory) -> Info? {
    let types = context.types.value
    let size = context.regime.granule.size
    let object = StructView(space: context.memory, address: address)
    func member(_ name: String) -> UInt64? { object.number(types.member(name, of: "kvm_nvhe_stacktrace_info")) }
    guard top >= size, member("stack_base") == top - size, let fp = member("fp"), let pc = member("pc"), pc != 0,
      let overflow = member("overflow_stack_base"), overflow <= .max - ThreadSize.overflowBytes
    else { return nil }
    let stacks = [(top - size)..<top, overflow..<(overflow + ThreadSize.overflowBytes)]
    guard stacks.contains(where: { $0.contains(fp) }), isText(pc, memory) else { return nil }
    return Info(stacks: stacks, fp: fp, pc: pc)
  }

  private func follow(_ info: Info, _ memory: KernelMemory) -> HypervisorTrace {
    var trace = HypervisorTrace(frames: [named(info.pc, .interrupted, info.fp, memory)])
    func broken(_ code: Diagnostic.Code, _ here: UInt64, _ why: String) -> HypervisorTrace {
      trace.message = Diagnostic(code, hex(here), why)
      return trace
    }
    var (here, current, left) = (info.fp, Range<UInt64>?.none, [Range<UInt64>]())
    var last: UInt64?
    while trace.frames.count < Self.mostFrames {
      guard here & 7 == 0 else {
        return broken(.frameMisaligned, here, "the frame pointer \(hex(here)) at EL2 is not aligned")
      }
      guard let stack = info.stacks.first(where: { $0.contains(here) && $0.upperBound - here >= 16 }),
        !left.contains(stack)
      else { return broken(.frameOffStack, here, "the frame pointer \(hex(here)) is on no stack at EL2") }
      if stack == current, let last, here <= last {
        return broken(.frameNotRising, here, "the frame pointer \(hex(here)) does not rise above \(hex(last))")
      }
      if let current, current != stack { left.append(current) }
      current = stack
      guard let next = memory.word(at: here), let pc = memory.word(at: here + 8) else {
        return broken(.frameUnreadable, here, "the frame record at \(hex(here)) is not in the dump")
      }
      // The entry code for host calls begins with a record of zeros.
      if pc == 0 || next == 0 && !isText(pc, memory) { return trace }
      guard isText(pc, memory) else {
        return broken(
          .returnNotExecutable, here, "the frame record at \(hex(here)) returns to \(hex(pc)), which is not executable")
      }
      trace.frames.append(named(pc, .call, here, memory))
      if next == 0 { return trace }
      (last, here) = (here, next)
    }
    return broken(.tooManyFrames, here, "the chain has more than \(Self.mostFrames) frames")
  }

  /// The return addresses that pKVM saved at `list`; nil if there are none.
  private func addresses(at list: UInt64, _ memory: KernelMemory) -> HypervisorTrace? {
    var trace = HypervisorTrace()
    while trace.frames.count < Self.mostFrames,
      let pc = context.memory.word(at: list &+ UInt64(trace.frames.count * 8)), pc != 0, isText(pc, memory)
    {
      trace.frames.append(named(pc, trace.frames.isEmpty ? .interrupted : .call, nil, memory))
    }
    return trace.frames.isEmpty ? nil : trace
  }

  /// The kernel's address of a CPU's copy of a hypervisor variable, given that its `kvm_init_params` are at
  /// `parameters`; nil unless both have symbols.
  private func variable(_ name: String, beside parameters: UInt64) -> UInt64? {
    let names = ["__kvm_nvhe_kvm_init_params", "__kvm_nvhe_\(name)"]
    let symbols = context.symbols.addresses(of: names)
    guard let anchor = symbols[names[0]], let wanted = symbols[names[1]] else { return nil }
    return parameters &- anchor &+ wanted
  }

  private func isText(_ address: UInt64, _ memory: KernelMemory) -> Bool {
    address & 3 == 0 && memory.leaf(at: address)?.attributes.isExecutableEL2 ?? false
  }

  private func named(_ pc: UInt64, _ kind: StackFrame.Kind, _ sp: UInt64?, _ memory: KernelMemory) -> NamedFrame {
    var address = pc
    if let leaf = memory.leaf(at: pc), let offset = context.facts.kimageVoffset?.value {
      address = leaf.physical.rawValue &+ offset
    }
    let frame = StackFrame(pc: address, kind: kind, sp: sp, stack: .hyp)
    return NamedFrame(frame: frame, symbol: names.symbol(containing: frame.symbolAddress))
  }
}
