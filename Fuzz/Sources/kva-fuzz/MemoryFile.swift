import FuzzDriver
import Glibc

/// Files in memory, which each input is written to: the readers take files.
enum MemoryFile {
  private static let descriptors = (0..<4).map { _ in memory_file() }

  /// The path of file `number`, made to hold `bytes`.
  static func path(_ bytes: [UInt8], _ number: Int = 0) -> String {
    let descriptor = descriptors[number]
    precondition(descriptor >= 0 && ftruncate(descriptor, 0) == 0)
    var done = 0
    while done < bytes.count {
      let count = bytes[done...].withUnsafeBytes { pwrite(descriptor, $0.baseAddress, $0.count, done) }
      precondition(count > 0)
      done += count
    }
    return "/proc/self/fd/\(descriptor)"
  }
}
