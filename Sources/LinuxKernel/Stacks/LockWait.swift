import Bytes
import DebugInfo

/// The lock that a task waits for, and its owner.
package struct LockWait: Sendable {
  /// The kind of lock.
  package enum Kind: String, Sendable {
    case mutex, rwsem, semaphore
    /// Under PREEMPT_RT also the basis of mutexes, rwsems and spinlocks.
    case rtMutex = "rt-mutex"
  }

  /// The kind of lock.
  package let kind: Kind
  /// Its address.
  package let lock: UInt64
  /// The task that holds it, or last held it; nil if none does, or it is unknown.
  package let owner: KernelTask?
  /// Whether an rwsem is held by readers, of which `owner` is one; nil for other locks.
  package let isHeldByReaders: Bool?
}

/// Finds the lock that a task waits for: by the task's own record, or by the waiter on its stack. Either is accepted
/// only if the task is among the lock's waiters.
///
/// (`task_struct.blocker`, 6.16; `blocked_on`; `struct mutex_waiter`, kernel/locking/mutex.h; `struct rwsem_waiter`,
/// rwsem.c; `struct semaphore_waiter`, semaphore.c; `struct rt_mutex_waiter`, rtmutex_common.h)
struct LockWaitReader: Sendable {
  private let memory: KernelMemory
  private let types: KernelTypes
  private let tasks: Lazy<[KernelTask]>
  private let blocker: TypeMember?
  private let blockedOn: TypeMember?
  private let hasRTMutexes: Bool

  init(_ context: KernelContext, _ tasks: Lazy<[KernelTask]>) {
    memory = context.memory
    types = context.types.value
    self.tasks = tasks
    blocker = types.member("blocker", of: "task_struct")
    blockedOn = types.member("blocked_on", of: "task_struct")
    hasRTMutexes = types.member("rtmutex", of: "mutex") != nil
  }

  /// The prefixes of the names of functions that wait.
  private static let functions: [(prefix: String, kind: LockWait.Kind)] = [
    ("rt_mutex", .rtMutex), ("__rt_mutex", .rtMutex), ("rtlock", .rtMutex), ("rt_spin", .rtMutex),
    ("rwbase", .rtMutex), ("__mutex_lock", .mutex), ("mutex_lock", .mutex), ("__ww_mutex_lock", .mutex),
    ("rwsem_down", .rwsem), ("__down_read", .rwsem), ("__down_write", .rwsem), ("__down", .semaphore),
  ]

  /// What the task at `task`, which does not run and is at `frames`, waits for; nil if it waits for no lock, or that
  /// was not found.
  func wait(of task: UInt64, _ frames: [NamedFrame], on own: KernelStack) -> LockWait? {
    if let (lock, kind) = noted(task) ?? pointed(task) { return describe(kind, lock) }
    let names = frames.compactMap(\.symbol?.name)
    let kind = names.lazy.compactMap { name in Self.functions.first { name.hasPrefix($0.prefix) }?.kind }.first
    guard let kind else { return nil }
    // Under PREEMPT_RT, mutex_lock() waits on an rt_mutex.
    let isRT = kind == .rtMutex || kind == .mutex && hasRTMutexes
    let lowest = frames.compactMap(\.frame.sp).filter(own.contains).min() ?? own.start
    let found = isRT ? rtLock(task, own, from: lowest) : lock(kind, task, own, from: lowest)
    return found.flatMap { describe(isRT ? .rtMutex : kind, $0) }
  }

  // MARK: - What the task says

  /// `task_struct.blocker`: the lock, and its kind in bits 1:0 (BLOCKER_TYPE_*, include/linux/hung_task.h).
  private func noted(_ task: UInt64) -> (UInt64, LockWait.Kind)? {
    guard let word = StructView(space: memory, address: task).pointer(blocker), word != 0 else { return nil }
    let kind: LockWait.Kind = word & 3 == 0 ? .mutex : word & 3 == 1 ? .semaphore : .rwsem
    return hasWaiter(kind, word & ~3, task) ? (word & ~3, kind) : nil
  }

  /// `task_struct.blocked_on`, a mutex; with CONFIG_DEBUG_MUTEXES before 6.18 a waiter, which has no such waiters.
  private func pointed(_ task: UInt64) -> (UInt64, LockWait.Kind)? {
    guard let lock = StructView(space: memory, address: task).pointer(blockedOn), lock != 0,
      hasWaiter(.mutex, lock, task)
    else { return nil }
    return (lock, .mutex)
  }

  /// The most tasks that wait for one lock.
  private static let mostWaiters = 4096

  /// The members of the lock and its waiters: wait_list, a `struct list_head`, or first_waiter, a ring of only waiters
  /// (7.1).
  private func members(_ kind: LockWait.Kind) -> (list: UInt64?, first: UInt64?, link: UInt64, task: UInt64)? {
    let names: (lock: String, waiter: String)
    switch kind {
    case .mutex: names = ("mutex", "mutex_waiter")
    case .rwsem: names = ("rw_semaphore", "rwsem_waiter")
    case .semaphore: names = ("semaphore", "semaphore_waiter")
    case .rtMutex: return nil
    }
    guard let link = types.member("list", of: names.waiter), let task = types.member("task", of: names.waiter) else {
      return nil
    }
    func offset(_ member: String) -> UInt64? { types.member(member, of: names.lock).map { UInt64($0.offset) } }
    return (offset("wait_list"), offset("first_waiter"), UInt64(link.offset), UInt64(task.offset))
  }

  private func hasWaiter(_ kind: LockWait.Kind, _ lock: UInt64, _ task: UInt64) -> Bool {
    guard let members = members(kind) else { return false }
    let head = members.list.map { lock &+ $0 }
    let start =
      head.map { memory.pointer(at: $0) }
      ?? members.first.map { memory.pointer(at: lock &+ $0).flatMap { $0 == 0 ? nil : $0 &+ members.link } }
    guard var here = start ?? nil else { return false }
    let first = here
    for _ in 0..<Self.mostWaiters {
      if here == head { return false }
      if memory.pointer(at: here &- members.link &+ members.task) == task { return true }
      guard let next = memory.pointer(at: here), next != first else { return false }
      here = next
    }
    return false
  }

  // MARK: - The waiter on the stack

  private func places(of task: UInt64, on stack: KernelStack, from lowest: UInt64) -> [UInt64] {
    stride(from: lowest & ~7, to: stack.end, by: 8).filter { memory.pointer(at: $0) == task }
  }

  /// The lock whose list has a waiter for `task` on `stack`: the element of the list that is not a waiter is its head.
  private func lock(_ kind: LockWait.Kind, _ task: UInt64, _ stack: KernelStack, from lowest: UInt64) -> UInt64? {
    guard let members = members(kind), let list = members.list else { return nil }
    for place in places(of: task, on: stack, from: lowest) {
      let first = place &- members.task &+ members.link
      var here = first
      for _ in 0..<Self.mostWaiters {
        guard let next = memory.pointer(at: here), memory.pointer(at: next &+ 8) == here, next != first else { break }
        here = next
        let other = memory.pointer(at: here &- members.link &+ members.task)
        if !tasks.value.contains(where: { $0.structure == other }) {
          if hasWaiter(kind, here &- list, task) { return here &- list }
          break
        }
      }
    }
    return nil
  }

  /// The rt_mutex that a waiter on `stack` names.
  private func rtLock(_ task: UInt64, _ stack: KernelStack, from lowest: UInt64) -> UInt64? {
    guard let at = types.member("task", of: "rt_mutex_waiter"), let lock = types.member("lock", of: "rt_mutex_waiter"),
      types.member("owner", of: "rt_mutex_base") != nil
    else { return nil }
    for place in places(of: task, on: stack, from: lowest) {
      let waiter = place &- UInt64(at.offset)
      // The owner is a task or NULL.
      guard let found = memory.pointer(at: waiter &+ UInt64(lock.offset)), found & 7 == 0, found >> 55 & 1 == 1,
        let owner = owner(.rtMutex, found), owner == 0 || knownTask(owner) != nil
      else { continue }
      return found
    }
    return nil
  }

  // MARK: - The owner

  private func knownTask(_ address: UInt64) -> KernelTask? { tasks.value.first { $0.structure == address } }

  /// The owner's word without its flags; nil if it is unreadable.
  private func owner(_ kind: LockWait.Kind, _ lock: UInt64) -> UInt64? {
    func word(_ type: String, _ member: String, _ flags: UInt64) -> UInt64? {
      types.member(member, of: type).flatMap { memory.pointer(at: lock &+ UInt64($0.offset)) }.map { $0 & ~flags }
    }
    switch kind {
    case .mutex: return word("mutex", "owner", 7)
    case .rwsem: return word("rw_semaphore", "owner", 7)
    case .semaphore: return word("semaphore", "last_holder", 0)
    case .rtMutex: return word("rt_mutex_base", "owner", 1)
    }
  }

  private func describe(_ kind: LockWait.Kind, _ lock: UInt64) -> LockWait {
    let flags = types.member("owner", of: "rw_semaphore").flatMap { memory.word(at: lock &+ UInt64($0.offset)) }
    return LockWait(
      kind: kind, lock: lock, owner: owner(kind, lock).flatMap(knownTask),
      isHeldByReaders: kind == .rwsem ? flags.map { $0 & 1 == 1 } : nil)
  }
}
