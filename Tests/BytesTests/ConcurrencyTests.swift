import Bytes
import Dispatch
import Synchronization
import Testing

/// Values computed once, and budgets.
struct ConcurrencyTests {
  private final class Object: Sendable {}

  private final class Owner: Sendable {
    let once = AtomicOnce<Object>()
  }

  @Test func theFirstValueStays() {
    let once = AtomicOnce<[Int]>()
    #expect(once.value == nil)
    #expect(once.value { [1] } == [1])
    #expect(once.value { [2] } == [1])
    #expect(once.value == [1])
  }

  @Test func anAbsentValueIsComputedOnceToo() {
    let once = AtomicOnce<Int?>()
    #expect(once.value { nil } == nil)
    #expect(once.value { 1 } == nil)
    #expect(once.value == .some(nil))
  }

  @Test func manyThreadsComputeOnce() {
    let computed = Atomic<Int>(0)
    let lazy = Lazy {
      computed.add(1, ordering: .relaxed)
      return Object()
    }
    let seen = Mutex(Set<ObjectIdentifier>())
    DispatchQueue.concurrentPerform(iterations: 64) { _ in
      let value = ObjectIdentifier(lazy.value)
      seen.withLock { _ = $0.insert(value) }
    }
    #expect(computed.load(ordering: .relaxed) == 1)
    #expect(seen.withLock { $0.count } == 1)
  }

  @Test func theValueIsReleasedWithItsOwner() {
    var owner: Owner? = Owner()
    weak let object = owner?.once.value { Object() }
    #expect(object != nil)
    owner = nil
    #expect(object == nil)
  }

  @Test func aBudgetIsSpentToItsEnd() {
    let budget = Budget(10)
    #expect(budget.spend(4))
    #expect(budget.left == 6)
    #expect(budget.spend(6))
    #expect(budget.left == 0)
    #expect(!budget.spend(1))
    #expect(budget.left == 0)
  }

  @Test func threadsShareABudget() {
    let budget = Budget(1000)
    let granted = Atomic<Int>(0)
    DispatchQueue.concurrentPerform(iterations: 64) { _ in
      for _ in 0..<32 where budget.spend(1) { granted.add(1, ordering: .relaxed) }
    }
    #expect(granted.load(ordering: .relaxed) == 1000)
  }
}
