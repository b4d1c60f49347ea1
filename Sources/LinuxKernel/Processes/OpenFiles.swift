import Bytes
import DebugInfo

/// An open file of a process.
package struct OpenFile: Sendable {
  /// The file descriptor.
  package let descriptor: Int
  /// Its `struct file`.
  package let structure: UInt64
  /// The path or name that the /proc/PID/fd link shows; nil if it cannot be read.
  package let path: String?
  /// The file position in bytes.
  package let offset: UInt64
  /// `f_flags`, plus the descriptor's O_CLOEXEC.
  package let flags: UInt64
  /// The socket, if it is one; nil also if the socket types are unknown.
  package let socket: OpenSocket?

  /// The flags by name. (include/uapi/asm-generic/fcntl.h; four of them arch/arm64/include/uapi/asm/fcntl.h)
  package var flagNames: [String] {
    let access = ["O_RDONLY", "O_WRONLY", "O_RDWR", "O_ACCMODE"][Int(flags & 3)]
    let sync = flags & 0o4010000 == 0o4010000 ? ["O_SYNC"] : flags & 0o10000 != 0 ? ["O_DSYNC"] : []
    return [access] + Self.names.filter { flags & $0.bit != 0 }.map(\.name) + sync
  }

  private static let names: [(bit: UInt64, name: String)] = [
    (0o2000, "O_APPEND"), (0o4000, "O_NONBLOCK"), (0o20000, "O_ASYNC"), (0o40000, "O_DIRECTORY"),
    (0o100000, "O_NOFOLLOW"), (0o200000, "O_DIRECT"), (0o400000, "O_LARGEFILE"), (0o1000000, "O_NOATIME"),
    (0o2000000, "O_CLOEXEC"), (0o10000000, "O_PATH"), (0o20000000, "O_TMPFILE"),
  ]
}

/// Reads the file descriptors of a process. (`struct files_struct`, include/linux/fdtable.h)
struct OpenFilesReader: Sendable {
  private let memory: KernelMemory
  private let files: OpenedFileReader
  private let sockets: OpenSocketReader?
  private let table: TypeMember
  private let descriptors: TypeMember
  private let count: TypeMember
  private let slots: TypeMember
  private let closing: TypeMember?
  private let position: TypeMember?
  private let flags: TypeMember?

  /// nil if the types are unknown.
  init?(_ context: KernelContext, _ names: KernelNames) {
    let types = context.types.value
    guard let files = OpenedFileReader(context, names), let table = types.member("files", of: "task_struct"),
      let descriptors = types.member("fdt", of: "files_struct"), let count = types.member("max_fds", of: "fdtable"),
      let slots = types.member("fd", of: "fdtable")
    else { return nil }
    memory = context.memory
    self.files = files
    sockets = OpenSocketReader(context.memory, types)
    self.table = table
    self.descriptors = descriptors
    self.count = count
    self.slots = slots
    closing = types.member("close_on_exec", of: "fdtable")
    position = types.member("f_pos", of: "file")
    flags = types.member("f_flags", of: "file")
  }

  /// The open files of `task`, by descriptor; empty for a task without a file table, such as one that has exited.
  func files(of task: KernelTask) -> Listing<OpenFile> {
    var result = Listing<OpenFile>()
    guard let own = StructView(space: memory, address: task.structure).pointer(table) else {
      result.note(
        .objectUnreadable, hex(task.structure), text: "the task_struct at \(hex(task.structure)) cannot be read")
      return result
    }
    guard own != 0 else { return result }
    guard let fdt = StructView(space: memory, address: own).pointer(descriptors),
      let length = StructView(space: memory, address: fdt).number(count),
      let first = StructView(space: memory, address: fdt).pointer(slots)
    else {
      result.note(.objectUnreadable, hex(own), text: "the file descriptors at \(hex(own)) cannot be read")
      return result
    }
    // The size of a table is limited by sysctl fs.nr_open, 2^20 by default.
    guard length <= UInt64(Limits.openFiles) else {
      result.note(
        .objectUnreadable, hex(fdt),
        text: "the table of file descriptors at \(hex(fdt)) is larger than any: it is damaged")
      return result
    }
    let bitmap = StructView(space: memory, address: fdt).pointer(closing)
    for number in 0..<length {
      guard let pointer = memory.pointer(at: first &+ number &* 8) else {
        result.note(.objectUnreadable, hex(fdt), text: "file descriptors from \(number) on cannot be read")
        return result
      }
      guard pointer != 0 else { continue }
      let file = StructView(space: memory, address: pointer)
      let closes = bitmap.flatMap { memory.word(at: $0 &+ number / 64 &* 8) }.map { $0 >> (number % 64) & 1 == 1 }
      let kept = (file.number(flags) ?? 0) & ~0o2000000
      result.elements.append(
        OpenFile(
          descriptor: Int(number), structure: pointer, path: files.file(at: pointer)?.path,
          offset: file.number(position) ?? 0, flags: closes == true ? kept | 0o2000000 : kept,
          socket: sockets?.socket(ofFile: pointer)))
    }
    return result
  }
}
