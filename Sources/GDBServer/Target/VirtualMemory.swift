import KernelVA

/// Virtual memory as a thread sees it.
struct VirtualMemory {
  let kernel: Kernel

  /// The bytes at `address`, up to the first unreadable one, and why it cannot be read.
  ///
  /// - Parameter root: the tables of the lower half; nil if there are none.
  func read(
    _ address: VirtualAddress, count: Int, root: PhysicalAddress?
  ) -> (bytes: [UInt8], failure: String?) {
    // Most reads of the kernel's half succeed as a whole.
    if address.isUpperHalf {
      let bytes = [UInt8](count: count) { fill(&$0, from: address, nil) == nil }
      if bytes.count == count { return (bytes, nil) }
    }
    var bytes = [UInt8](repeating: 0, count: count)
    let user = address.isUpperHalf ? nil : root.map { kernel.userRegime(root: $0) }
    let page = kernel.regime.granule.size
    var done = 0
    var failure: String?
    bytes.withMutableRawSpan { span in
      while done < count, failure == nil {
        let here = address &+ UInt64(done)
        let part = min(count - done, Int(page - (here.rawValue & (page - 1))))
        var piece = span._mutatingExtracting(done..<(done + part))
        failure = fill(&piece, from: here, user)
        if failure == nil { done += part }
      }
    }
    bytes.removeLast(count - done)
    return (bytes, failure)
  }

  /// Fills `piece`, which in the lower half lies in one page, or returns the reason why it cannot.
  private func fill(
    _ piece: inout MutableRawSpan, from address: VirtualAddress, _ user: TranslationRegime?
  ) -> String? {
    guard address.isUpperHalf else {
      guard user != nil else {
        return "\(hex(address.rawValue)) is an address of user space, and the thread has none"
      }
      let answer = kernel.resolve(address, user: user)
      guard let physical = answer.physical else { return answer.unreadable.text }
      do throws(MemoryFault) {
        try kernel.dump.memory.read(physical, into: &piece)
        return nil
      } catch {
        return kernel.dump.describe(error)
      }
    }
    do throws(ReadFault) {
      try kernel.read(address, into: &piece)
      return nil
    } catch {
      switch error {
      case .absent(_, let fault): return kernel.dump.describe(fault)
      case .unmapped(let address, _): return kernel.resolve(address).unreadable.text
      }
    }
  }
}
