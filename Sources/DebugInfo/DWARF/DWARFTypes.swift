import Bytes
import Synchronization

/// The types of a kernel from the DWARF of its vmlinux or debuginfo file.
///
/// The file is opened on the first query. Answers are cached, negative ones too. Any number of threads may query it;
/// they wait for each other.
package final class DWARFTypes: TypeLayout {
  private let open: @Sendable () -> ELFImage?
  private let report: (@Sendable (LocatedError) -> Void)?
  private let absence: String
  private let state = Mutex(State())

  private struct State: ~Copyable {
    var isOpened = false
    var reader: DWARFReader?
    var path: String?
    var failure: LocatedError?
    var sizes: [String: Int?] = [:]
    var members: [Question: TypeMember?] = [:]

    /// Opens the file, at the first call.
    mutating func open(_ open: () -> ELFImage?, _ report: ((LocatedError) -> Void)?) {
      guard !isOpened else { return }
      isOpened = true
      guard let image = open() else { return }
      path = image.path
      do throws(LocatedError) {
        reader = try DWARFReader(image)
      } catch {
        failure = error
        report?(error)
      }
    }
  }

  private struct Question: Hashable {
    var type: String
    var path: String
  }

  /// Uses the file that `open` returns on the first query; nil if there is none.
  ///
  /// - Parameters:
  ///   - report: called, at most once, with the reason why its DWARF cannot be used.
  ///   - absence: the `origin` if there is none.
  package init(
    report: (@Sendable (LocatedError) -> Void)? = nil, absence: String = "no DWARF",
    _ open: @escaping @Sendable () -> ELFImage?
  ) {
    self.open = open
    self.absence = absence
    self.report = report
  }

  /// Uses the DWARF of `image`.
  package convenience init(_ image: ELFImage) { self.init { image } }

  /// The file's name; opens it.
  package var origin: String {
    state.withLock { state in
      state.open(open, report)
      guard let path = state.path else { return absence }
      return state.failure == nil ? "DWARF of \(path)" : "no DWARF, as \(path) cannot be used"
    }
  }

  /// Why the file's DWARF cannot be used, if a query has shown it.
  package var failure: LocatedError? { state.withLock { $0.failure } }

  /// `sizeof` of a structure, union, typedef, enumeration or base type.
  package func size(of type: String) -> Int? {
    state.withLock { state in
      if let known = state.sizes[type] { return known }
      state.open(open, report)
      let size = state.reader?.size(of: type) ?? nil
      state.sizes[type] = .some(size)
      return size
    }
  }

  /// A member by its path.
  package func member(_ path: String, of type: String) -> TypeMember? {
    let question = Question(type: type, path: path)
    return state.withLock { state in
      if let known = state.members[question] { return known }
      state.open(open, report)
      let member = state.reader?.member(path, of: type) ?? nil
      state.members[question] = .some(member)
      return member
    }
  }

  /// The source line of the code at `address`.
  ///
  /// - Parameter address: the link address, without the KASLR offset.
  package func sourceLine(at address: UInt64) -> SourceLine? {
    state.withLock { state in
      state.open(open, report)
      return state.reader?.sourceLine(at: address) ?? nil
    }
  }

  /// Queries the file's DWARF; nil if there is none.
  func ask<Answer: Sendable>(_ question: @Sendable (inout DWARFReader) -> Answer?) -> Answer? {
    state.withLock { state in
      state.open(open, report)
      guard var reader = state.reader.take() else { return nil }
      let answer = question(&reader)
      state.reader = consume reader
      return answer
    }
  }

  /// The number of DWARF entries read so far to find types.
  var work: Int { state.withLock { $0.reader?.work ?? 0 } }
}
