import KernelVA
import VMSA

/// The use of each frame of RAM, and whether the dump has its contents, as runs of equal frames.
struct FrameMap {
  /// The state of a frame.
  struct Kind: Hashable {
    let use: PageUse
    /// Whether the dump has its bytes.
    let isHeld: Bool

    static let all = PageUse.allCases.flatMap { [Kind(use: $0, isHeld: true), Kind(use: $0, isHeld: false)] }
  }

  /// Neighbouring frames of one kind.
  struct Run {
    let kind: Kind
    var frames: UInt64
  }

  /// A range of RAM, its runs in order.
  struct Part {
    let first: UInt64
    var runs: [Run] = []
  }

  /// The ranges of RAM.
  private(set) var parts: [Part] = []
  /// Frames of each use.
  private(set) var counts: [PageUse: UInt64] = [:]
  /// Frames of RAM whose bytes the dump lacks.
  private(set) var lacking: UInt64 = 0
  /// The resolution of the runs in frames. It is more than 1 if there were too many runs: then each group of so many
  /// frames of a part takes the state of most of them.
  private(set) var group: UInt64 = 1

  private var runs = 0

  /// All frames of RAM.
  var frames: UInt64 { counts.values.reduce(0, +) }

  init(_ reader: PageReader, _ kernel: Kernel) {
    let memory = kernel.dump.memory
    for range in kernel.ramFrames {
      parts.append(Part(first: range.lowerBound))
      reader.forEachFrame(range) { frame in
        add(Kind(use: frame.use, isHeld: memory.absence(at: PhysicalAddress(frame.physical)) == nil))
        return true
      }
    }
    if group > 1 { coarsen() }
  }

  private mutating func add(_ kind: Kind) {
    counts[kind.use, default: 0] += 1
    if !kind.isHeld { lacking += 1 }
    let part = parts.count - 1
    let last = parts[part].runs.count - 1
    if last >= 0, parts[part].runs[last].kind == kind {
      parts[part].runs[last].frames += 1
      return
    }
    parts[part].runs.append(Run(kind: kind, frames: 1))
    runs += 1
    if runs >= Limits.drawnRuns {
      group *= 4
      coarsen()
    }
  }

  /// Groups the runs by the current group size, and counts them again.
  private mutating func coarsen() {
    for number in parts.indices { parts[number].runs = Self.grouped(parts[number].runs, by: group) }
    runs = parts.reduce(0) { $0 + $1.runs.count }
  }

  /// `runs` in groups of `group` frames, each with the state of most of them.
  static func grouped(_ runs: [Run], by group: UInt64) -> [Run] {
    var result: [Run] = []
    func add(_ kind: Kind, _ frames: UInt64) {
      if let last = result.last, last.kind == kind {
        result[result.count - 1].frames += frames
      } else {
        result.append(Run(kind: kind, frames: frames))
      }
    }
    var inside: [Kind: UInt64] = [:]
    var filled: UInt64 = 0
    func finish() {
      if let most = Kind.all.max(by: { inside[$0, default: 0] < inside[$1, default: 0] }), filled > 0 {
        add(most, filled)
      }
      inside = [:]
      filled = 0
    }
    for run in runs {
      var rest = run.frames
      while rest > 0 {
        // Whole groups of one kind at once.
        let taken = filled == 0 && rest >= group ? rest / group * group : min(rest, group - filled)
        inside[run.kind, default: 0] += taken
        filled += taken
        rest -= taken
        if filled >= group { finish() }
      }
    }
    finish()
    return result
  }
}
