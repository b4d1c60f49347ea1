import KernelVA

/// What each frame of RAM is used for, as runs of frames with one use.
struct FrameMap {
  /// Neighbouring frames with one use.
  struct Run {
    let use: PageUse
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
  /// Frames that runs are exact to. More than 1 where there are too many runs: then each group of so many frames, from
  /// the first of its part on, has the use of most of them.
  private(set) var group: UInt64 = 1

  private var runs = 0

  /// All frames of RAM.
  var frames: UInt64 { counts.values.reduce(0, +) }

  init(_ reader: PageReader, _ ranges: [Range<UInt64>]) {
    for range in ranges {
      parts.append(Part(first: range.lowerBound))
      reader.forEachFrame(range) { frame in
        add(frame.use)
        return true
      }
    }
    if group > 1 { coarsen() }
  }

  private mutating func add(_ use: PageUse) {
    counts[use, default: 0] += 1
    let part = parts.count - 1
    let last = parts[part].runs.count - 1
    if last >= 0, parts[part].runs[last].use == use {
      parts[part].runs[last].frames += 1
      return
    }
    parts[part].runs.append(Run(use: use, frames: 1))
    runs += 1
    if runs >= Limits.drawnRuns {
      group *= 4
      coarsen()
    }
  }

  /// Makes groups of one use, and counts the runs anew.
  private mutating func coarsen() {
    for number in parts.indices { parts[number].runs = Self.grouped(parts[number].runs, by: group) }
    runs = parts.reduce(0) { $0 + $1.runs.count }
  }

  /// `runs` in groups of so many frames, each with the use of most of them.
  static func grouped(_ runs: [Run], by group: UInt64) -> [Run] {
    var result: [Run] = []
    func add(_ use: PageUse, _ frames: UInt64) {
      if let last = result.last, last.use == use {
        result[result.count - 1].frames += frames
      } else {
        result.append(Run(use: use, frames: frames))
      }
    }
    var inside: [PageUse: UInt64] = [:]
    var filled: UInt64 = 0
    func finish() {
      if let most = PageUse.allCases.max(by: { inside[$0, default: 0] < inside[$1, default: 0] }), filled > 0 {
        add(most, filled)
      }
      inside = [:]
      filled = 0
    }
    for run in runs {
      var rest = run.frames
      while rest > 0 {
        // Whole groups of one use at once.
        let taken = filled == 0 && rest >= group ? rest / group * group : min(rest, group - filled)
        inside[run.use, default: 0] += taken
        filled += taken
        rest -= taken
        if filled >= group { finish() }
      }
    }
    finish()
    return result
  }
}
