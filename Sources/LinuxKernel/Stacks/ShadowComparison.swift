import Bytes

/// Compares the entries of a shadow call stack with the frames found by frame records.
struct ShadowComparison {
  /// The frames, the innermost first.
  let frames: [NamedFrame]
  /// x30 of the code that was interrupted at `frames`, by its index.
  let links: [Int: UInt64]
  /// Whether the chain of records breaks off.
  let isBroken: Bool
  /// Whether there is a call before an address.
  let isReturnAddress: (UInt64) -> Bool
  /// Formats an address for messages.
  let name: (UInt64) -> String

  /// Assembly functions that push a frame record but no shadow call stack entry.
  private static let withoutShadow: Set<String> = [
    "call_on_irq_stack", "__sdei_asm_handler", "ftrace_caller", "ftrace_regs_caller", "__efi_rt_asm_wrapper",
  ]

  /// How often both alternatives are tried: exceptions seldom nest deeper.
  private static let mostChoices = 4

  /// The comparison with `entries`, innermost first.
  func result(_ entries: [UInt64]) -> ShadowTrace {
    let message = difference(entries[...], from: 0, choices: Self.mostChoices)
    return ShadowTrace(entries: entries, agrees: message == nil, message: message)
  }

  /// Where `entries` and the frames from `index` on first differ; nil if they do not.
  private func difference(_ entries: ArraySlice<UInt64>, from index: Int, choices: Int) -> Diagnostic? {
    var rest = entries
    for place in frames.indices[index...] {
      let frame = frames[place].frame
      switch frame.kind {
      case .interrupted:
        // It may have been interrupted between pushing x30 and storing its frame record.
        guard let link = links[place], rest.first == link else { continue }
        let left = max(0, choices - 1)
        let saved = difference(rest.dropFirst(), from: place + 1, choices: left)
        return saved == nil || choices == 0 ? saved : difference(rest, from: place + 1, choices: left)
      case .link, .scanned: continue
      case .call, .trampoline:
        // The pc of a task that is not running was not saved by a call.
        guard place > 0 else { continue }
        if rest.first == frame.pc {
          rest.removeFirst()
        } else if !Self.withoutShadow.contains(frames[..<place].last { $0.frame.kind != .link }?.symbol?.name ?? "") {
          return words(frame.pc, rest.first)
        }
      }
    }
    guard let next = rest.first else { return nil }
    guard isBroken else { return words(nil, next) }
    return Diagnostic(
      .framesDamaged,
      "the frame records are damaged: the shadow call stack goes on with "
        + rest.prefix(3).map(name).joined(separator: ", "))
  }

  private func words(_ record: UInt64?, _ entry: UInt64?) -> Diagnostic {
    let both =
      "the frame records return to \(record.map(name) ?? "nothing more"), "
      + "the shadow call stack to \(entry.map(name) ?? "nothing more")"
    switch (record.map(isReturnAddress), entry.map(isReturnAddress)) {
    case (true?, false?):
      return Diagnostic(.shadowDamaged, "the shadow call stack is damaged: \(both), where no call is")
    case (false?, true?):
      return Diagnostic(.framesDamaged, "the frame records are damaged: \(both); no call is before the former")
    case (nil, true?): return Diagnostic(.framesDamaged, "the frame records are damaged: \(both)")
    case (_, nil): return Diagnostic(.shadowDamaged, "the shadow call stack is damaged: \(both)")
    default: return Diagnostic(.stacksDiffer, "one of them is damaged: \(both)")
    }
  }
}
