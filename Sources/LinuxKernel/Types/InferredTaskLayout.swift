import Bytes
import DebugInfo
import Synchronization

/// The offsets of a few members of `struct task_struct` and `struct mm_struct`, inferred from their contents, for
/// kernels without types: a task by its list and its name, a root table by its address.
///
/// | member | by |
/// | --- | --- |
/// | `comm`, `tasks` | "swapper" in `init_task`, and a list whose elements have a name at the same distance |
/// | `pid`, `tgid` | two equal numbers: 0 in `init_task`, 1 and 2 in the first two on the list |
/// | `stack` | the address of `init_stack` in `init_task` |
/// | `mm_struct.pgd` | the address of `swapper_pg_dir` in `init_mm` |
/// | `mm`, `active_mm` | two equal pointers in a process, of which kernel threads lack the first |
struct InferredTaskLayout: TypeLayout {
  let origin = "the shape of init_task"
  private let members: Lazy<[String: TypeMember]>

  init(_ space: KernelMemory, _ symbols: KernelSymbols) {
    members = Lazy { InferredTaskLayoutFinder(space, symbols)?.members ?? [:] }
  }

  /// Whether it was found.
  var isPresent: Bool { !members.value.isEmpty }
  func size(of type: String) -> Int? { nil }
  func member(_ path: String, of type: String) -> TypeMember? { members.value["\(type).\(path)"] }
}

private struct InferredTaskLayoutFinder {
  private(set) var members: [String: TypeMember] = [:]
  private let space: KernelMemory
  private let first: UInt64
  private let words: [UInt64]

  /// Bytes of `init_task` that are scanned: it has 2 to 10 KiB.
  private static let reach = 16 << 10
  /// Tasks that must have a name before a list is accepted as the task list.
  private static let namedTasks = 3

  init?(_ space: KernelMemory, _ symbols: KernelSymbols) {
    guard let first = symbols.symbol(named: "init_task")?.address, first & 7 == 0 else { return nil }
    self.space = space
    self.first = first
    words = (0..<Self.reach / 8).map { space.pointer(at: first &+ UInt64($0) &* 8) ?? 0 }
    guard let (comm, tasks, others) = nameAndList() else { return nil }
    members["task_struct.comm"] = TypeMember(offset: comm, size: 16)
    members["task_struct.tasks"] = TypeMember(offset: tasks, size: 16)
    guard let pid = numbers(others, before: comm) else { return nil }
    members["task_struct.pid"] = TypeMember(offset: pid, size: 4)
    members["task_struct.tgid"] = TypeMember(offset: pid + 4, size: 4)
    for name in ["init_stack", "init_thread_union"] {
      guard let stack = symbols.symbol(named: name)?.address, let place = words.firstIndex(of: stack) else { continue }
      members["task_struct.stack"] = TypeMember(offset: place * 8, size: 8)
      break
    }
    guard let initMM = symbols.symbol(named: "init_mm")?.address,
      let swapper = symbols.symbol(named: "swapper_pg_dir")?.address,
      let pgd = (0..<128).first(where: { space.word(at: initMM &+ UInt64($0) &* 8) == swapper })
    else { return }
    members["mm_struct.pgd"] = TypeMember(offset: pgd * 8, size: 8)
    guard let mm = memory(others, pgd: UInt64(pgd) * 8, below: comm) else { return }
    members["task_struct.mm"] = TypeMember(offset: mm, size: 8)
    members["task_struct.active_mm"] = TypeMember(offset: mm + 8, size: 8)
  }

  /// The offsets of the name and the task list, and the first tasks on it.
  private func nameAndList() -> (comm: Int, tasks: Int, others: [UInt64])? {
    let swapper = Array("swapper".utf8).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    // The name, followed by NUL or the slash of "swapper/0".
    for comm in words.indices where words[comm] & (1 << 56 - 1) == swapper {
      guard [0, UInt64(UInt8(ascii: "/"))].contains(words[comm] >> 56) else { continue }
      for list in 0..<comm {
        let link = first &+ UInt64(list) &* 8
        guard words[list] >> 52 == 0xfff, words[list + 1] >> 52 == 0xfff, words[list] != link,
          space.pointer(at: words[list] &+ 8) == link, space.pointer(at: words[list + 1]) == link
        else { continue }
        var others: [UInt64] = []
        var here = words[list]
        while others.count < Self.namedTasks, here != link, isName(here &+ UInt64((comm - list) * 8)) {
          others.append(here &- UInt64(list * 8))
          here = space.pointer(at: here) ?? link
        }
        if others.count == Self.namedTasks { return (comm * 8, list * 8, others) }
      }
    }
    return nil
  }

  /// Whether a name of 1 to 15 printable letters is at `address`.
  private func isName(_ address: UInt64) -> Bool {
    guard let text = space.bytes(at: address, count: 16), let end = text.firstIndex(of: 0), end > 0 else {
      return false
    }
    return text[..<end].allSatisfy { (0x20..<0x7f).contains($0) }
  }

  /// The offset of `pid`, which `tgid` follows. The first tasks are those that the kernel creates first, `init` and
  /// `kthreadd` (`rest_init`, init/main.c).
  private func numbers(_ others: [UInt64], before comm: Int) -> Int? {
    stride(from: 0, to: comm, by: 4).first { place in
      func both(_ task: UInt64) -> [UInt32?] {
        [0, 4].map { space.integer(UInt32.self, at: task &+ UInt64(place) &+ $0) }
      }
      return both(first) == [0, 0] && both(others[0]) == [1, 1] && both(others[1]) == [2, 2]
    }
  }

  /// The offset of `mm`, which `active_mm` follows: `init` has both, `kthreadd` only the second.
  private func memory(_ others: [UInt64], pgd: UInt64, below comm: Int) -> Int? {
    stride(from: 0, to: comm, by: 8).first { place in
      func word(_ task: UInt64, _ offset: Int) -> UInt64? { space.pointer(at: task &+ UInt64(place + offset)) }
      guard let mm = word(others[0], 0), mm >> 52 == 0xfff, word(others[0], 8) == mm, word(first, 0) == 0,
        word(others[1], 0) == 0, let root = space.pointer(at: mm &+ pgd)
      else { return false }
      return root >> 52 == 0xfff && space.leaf(at: root) != nil
    }
  }
}
