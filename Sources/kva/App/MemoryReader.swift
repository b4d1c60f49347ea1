import KernelVA

/// Reads memory piece by piece, and writes it in one of three forms.
struct MemoryReader {
  let source: any ReadSource
  let dump: DumpFile
  let session: Session
  private var output: Output { session.output }

  /// Consecutive pages that cannot be shown for the same reason.
  private struct Gap {
    var first: Unreadable
    var pages: Int
    var last: UInt64

    /// The gap in one line.
    var message: Diagnostic {
      let message = first.message
      if pages == 1 { return message }
      let after = pages == 2 ? "the page after it" : "the \(pages - 1) pages after it"
      return Diagnostic(
        message.code, message.subject, "\(message.text); the same holds for \(after), up to \(Words.hex(last))")
    }
  }

  /// The number of pages requested, and of those unavailable.
  private struct Count {
    var pages = 0
    var missing = 0
    var filtered = 0

    /// The count in one line; nil if no page is missing.
    var message: Diagnostic? {
      guard missing > 1 else { return nil }
      let why = filtered > 0 ? "; \(filtered) of them were filtered out of this dump" : ""
      return Diagnostic(.pagesMissing, "\(missing) of \(pages) pages cannot be shown\(why)")
    }
  }

  /// Reports that the bytes at `address` may be wrong.
  private func report(doubt: Diagnostic?, of address: UInt64) {
    if let doubt { session.report(doubt.explaining("\(Words.hex(address)) is doubtful")) }
  }

  private func unreadable(_ fault: MemoryFault) -> Unreadable {
    Unreadable(kind: .absent(fault.absence), message: dump.diagnostic(fault))
  }

  /// Calls `body` with each piece.
  private func forEachPiece(_ start: UInt64, _ length: UInt64, _ body: (MemoryPiece) -> Void) throws {
    let page = UInt64(1) << UInt64(source.pageShift)
    var done: UInt64 = 0
    while done < length {
      try session.checkListener()
      let address = start &+ done
      let count = min(page - (address & (page - 1)), length - done)
      var piece = MemoryPiece(address: address, count: Int(count))
      switch source.locate(address) {
      case .failure(let failure): piece.problem = failure
      case .success(let place):
        piece.physical = place.physical
        piece.doubt = place.doubt
        do throws(MemoryFault) {
          piece.bytes = try dump.memory.bytes(at: place.physical, count: Int(count))
        } catch {
          piece.problem = unreadable(error)
        }
      }
      body(piece)
      done += count
    }
  }

  /// The most that is read at once, and so kept in memory.
  private static var atOnce: UInt64 { 128 << 20 }

  /// Writes all bytes or none: what does not fit in memory is read twice, and written the second time.
  func raw(_ start: UInt64, _ length: UInt64) throws -> Bool {
    var chunks: [(start: UInt64, count: UInt64)] = []
    var done: UInt64 = 0
    while done < length, chunks.count < 1 << 20 {
      chunks.append((start &+ done, min(Self.atOnce, length - done)))
      done += chunks[chunks.count - 1].count
    }
    for isWriting in chunks.count > 1 ? [false, true] : [true] {
      for chunk in chunks {
        try session.checkListener()
        do throws(Unreadable) {
          let bytes = try bytes(chunk.start, Int(chunk.count))
          if isWriting { output.raw(bytes) }
        } catch {
          session.report(error.message)
          return false
        }
      }
    }
    return true
  }

  /// `count` bytes from `start`.
  private func bytes(_ start: UInt64, _ count: Int) throws(Unreadable) -> [UInt8] {
    var result = [UInt8](repeating: 0, count: count)
    try result.withMutableRawSpan { span throws(Unreadable) in try fill(&span, from: start) }
    return result
  }

  /// Fills `target` with the bytes at `start`, reading what is contiguous in physical memory at once.
  private func fill(_ target: inout MutableRawSpan, from start: UInt64) throws(Unreadable) {
    let count = target.byteCount
    let page = UInt64(1) << UInt64(source.pageShift)
    // The run collected so far: where its bytes go, and where they are.
    var from = 0
    var physical: PhysicalAddress?
    var done = 0
    while true {
      var next: PhysicalAddress?
      var step = 0
      if done < count {
        let here = start &+ UInt64(done)
        step = Int(min(page - (here & (page - 1)), UInt64(count - done)))
        switch source.locate(here) {
        case .success(let place):
          next = place.physical
          report(doubt: place.doubt, of: here)
        case .failure(let failure): throw failure
        }
      }
      if let first = physical, next != first &+ UInt64(done - from) {
        var run = target._mutatingExtracting(from..<done)
        do throws(MemoryFault) {
          try dump.memory.read(first, into: &run)
        } catch {
          throw unreadable(error)
        }
        from = done
        physical = nil
      }
      guard done < count else { return }
      if physical == nil { physical = next }
      done += step
    }
  }

  /// The memory as a source of typed values.
  var pages: PageSource {
    PageSource { start, count in
      do throws(Unreadable) {
        return .success(try bytes(start, count))
      } catch {
        return .failure(ExpressionFailure(error.message))
      }
    }
  }

  /// One object for each page or part of one.
  func json(_ start: UInt64, _ length: UInt64) throws -> Bool {
    var found = true
    try forEachPiece(start, length) { piece in
      output.memoryJSON(piece)
      if piece.problem != nil { found = false }
    }
    return found
  }

  /// Sixteen bytes a line, in hex and ASCII, or as words.
  func text(_ start: UInt64, _ length: UInt64, wordSize: Int?) throws -> Bool {
    var count = Count()
    var gap: Gap?
    func endGap() {
      if let gap { session.report(gap.message) }
      gap = nil
    }
    try forEachPiece(start, length) { piece in
      count.pages += 1
      if let problem = piece.problem {
        count.missing += 1
        if problem.kind == .absent(.filtered) { count.filtered += 1 }
        if gap?.first.kind != problem.kind { endGap() }
        gap = Gap(
          first: gap?.first ?? problem, pages: (gap?.pages ?? 0) + 1, last: piece.address &+ UInt64(piece.count - 1))
        return
      }
      endGap()
      report(doubt: piece.doubt, of: piece.address)
      output.memoryText(piece, wordSize: wordSize)
    }
    endGap()
    if let message = count.message { session.report(message) }
    return count.missing == 0
  }
}
